/** Answers what pages post. Anything else is ignored: other programs may share the origin. */
import type { ServiceWorkerAnswer, ServiceWorkerMessage } from '../lib/hub/worker-messages';
import { keepNow } from './caches';
import { listWorkerFiles } from './worker-files';
import { isClosed, readLedger, setClosed } from './foreign';
import { bundledDigests, version, worker } from './scope';

export async function answerMessage(event: ExtendableMessageEvent): Promise<void> {
  const message = readMessage(event.data);
  if (!message) return;
  const [port] = event.ports as readonly (MessagePort | undefined)[];
  const answer = (value: ServiceWorkerAnswer): void => port?.postMessage(value);
  try {
    answer({ ok: true, value: await carryOut(message) });
  } catch (error) {
    answer({ ok: false, message: error instanceof Error ? error.message : String(error) });
  }
}

async function carryOut(message: ServiceWorkerMessage): Promise<unknown> {
  switch (message.type) {
    case 'seal':
      return setClosed(message.closed);
    case 'sealed':
      return isClosed();
    case 'ledger':
      return readLedger();
    case 'version':
      return version;
    case 'keep':
      return keepAll(message.urls);
    case 'keep-bundled':
      return keepAll([...bundledDigests.keys(), ...(await listWorkerFiles(message.gpu))]);
    case 'skip-waiting':
      await worker.skipWaiting();
      return true;
  }
}

/** One after another: two large files at once would only compete. Gives those that failed. */
async function keepAll(urls: readonly string[]): Promise<string[]> {
  const failed: string[] = [];
  for (const url of urls) {
    const { origin, pathname } = new URL(url, worker.location.href);
    try {
      if (origin !== worker.location.origin) throw new Error('Only files of this page are kept.');
      await keepNow(pathname);
    } catch {
      failed.push(url);
    }
  }
  return failed;
}

function readMessage(data: unknown): ServiceWorkerMessage | undefined {
  if (typeof data !== 'object' || data === null || !('type' in data)) return undefined;
  const { type } = data;
  switch (type) {
    case 'seal':
      return 'closed' in data && typeof data.closed === 'boolean'
        ? { type, closed: data.closed }
        : undefined;
    case 'keep':
      return 'urls' in data && Array.isArray(data.urls)
        ? { type, urls: data.urls.filter((url) => typeof url === 'string') }
        : undefined;
    case 'keep-bundled':
      return { type, gpu: 'gpu' in data && data.gpu === true };
    case 'sealed':
    case 'ledger':
    case 'version':
    case 'skip-waiting':
      return { type };
    default:
      return undefined;
  }
}
