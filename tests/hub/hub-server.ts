/**
 * A hub on this machine that speaks the protocol of huggingface.co as huggingface_hub uses it: the
 * model's description, files by commit, redirects to a file host with signed addresses, ranges, tags.
 * Faults are injected one request at a time.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { listen, type Site } from '../storage/chromium';

export interface Fault {
  status?: number;
  headers?: Record<string, string>;
  /** Closes the connection after so many bytes of the answer. */
  cutAfter?: number;
  /** Sends all of the file with 200 whatever range was asked for. */
  ignoreRange?: boolean;
  /** Sends so many bytes of the answer, then nothing, with the connection open. */
  stallAfter?: number;
  /** Flips a bit of the first byte. */
  corrupt?: boolean;
  /** Sends so many bytes more than the file has. */
  extraBytes?: number;
  /** Another start in Content-Range than was asked for. */
  wrongStart?: boolean;
  redirectTo?: string;
}

export interface Seen {
  host: 'hub' | 'files';
  method: string;
  path: string;
  range: string | undefined;
  authorization: string | undefined;
}

export interface TestHub {
  endpoint: string;
  fileHost: string;
  seen: Seen[];
  /** Faults of requests whose path ends so, used up in order. */
  faults: Map<string, Fault[]>;
  /** What the description of the model says, changed by a test. */
  describe: (description: Record<string, unknown>) => Record<string, unknown>;
  /** When set, only this token may read. */
  token: string | undefined;
  close(): Promise<void>;
}

export const REPO = 'tiny/llama';
export const COMMIT = '0123456789abcdef0123456789abcdef01234567';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const blobId = (bytes: Uint8Array): string =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');

export async function startHub(files: ReadonlyMap<string, Uint8Array>): Promise<TestHub> {
  const isLarge = (path: string): boolean => path.endsWith('.safetensors');
  let hub: Site | undefined = undefined;
  let cdn: Site | undefined = undefined;

  const test: TestHub = {
    endpoint: '',
    fileHost: '',
    seen: [],
    faults: new Map(),
    describe: (description) => description,
    token: undefined,
    async close() {
      await hub?.close();
      await cdn?.close();
    },
  };

  function takeFault(path: string): Fault | undefined {
    for (const [suffix, faults] of test.faults) if (path.endsWith(suffix)) return faults.shift();
    return undefined;
  }

  function note(host: Seen['host'], request: IncomingMessage): string {
    const path = new URL(request.url ?? '', 'http://x').pathname;
    const { range, authorization } = request.headers;
    test.seen.push({ host, method: request.method ?? '', path, range, authorization });
    return path;
  }

  const description = (): Record<string, unknown> =>
    test.describe({
      id: REPO,
      sha: COMMIT,
      siblings: [...files].map(([rfilename, bytes]) => ({
        rfilename,
        size: bytes.length,
        blobId: blobId(bytes),
        ...(isLarge(rfilename)
          ? { lfs: { sha256: sha256(bytes), size: bytes.length, pointerSize: 134 } }
          : {}),
      })),
    });

  function fail(response: ServerResponse, fault: Fault): boolean {
    if (fault.redirectTo) response.writeHead(302, { Location: fault.redirectTo }).end();
    else if (fault.status) response.writeHead(fault.status, fault.headers).end('{"error":"x"}');
    else return false;
    return true;
  }

  function send(
    request: IncomingMessage,
    response: ServerResponse,
    file: Uint8Array,
    fault: Fault,
    headers: Record<string, string>,
  ): void {
    let bytes = Buffer.from(file);
    if (fault.corrupt) bytes[0] ^= 1;
    const match = fault.ignoreRange ? null : /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const start = match ? Number(match[1]) : 0;
    if (start >= bytes.length && start > 0) {
      response.writeHead(416, { 'Content-Range': `bytes */${bytes.length}` }).end();
      return;
    }
    if (match) {
      const said = fault.wrongStart ? start + 1 : start;
      headers['Content-Range'] = `bytes ${said}-${bytes.length - 1}/${bytes.length}`;
    }
    bytes = bytes.subarray(start);
    if (fault.extraBytes) bytes = Buffer.concat([bytes, Buffer.alloc(fault.extraBytes)]);
    response.writeHead(match ? 206 : 200, { ...headers, 'Content-Length': String(bytes.length) });
    const stop = fault.cutAfter ?? fault.stallAfter;
    if (stop === undefined) {
      response.end(bytes);
      return;
    }
    response.write(bytes.subarray(0, stop), () => {
      // Time for the first part to arrive before the connection goes.
      if (fault.cutAfter !== undefined) setTimeout(() => response.destroy(), 20);
    });
  }

  hub = await listen(
    createServer((request, response) => {
      const path = note('hub', request);
      const fault = takeFault(path) ?? {};
      if (fail(response, fault)) return;
      if (test.token !== undefined && request.headers.authorization !== `Bearer ${test.token}`) {
        response.writeHead(401, { 'X-Error-Code': 'GatedRepo' }).end('{"error":"gated"}');
        return;
      }
      const revision = /^\/api\/models\/tiny\/llama\/revision\/(.+)$/.exec(path)?.[1];
      if (revision !== undefined) {
        if (['main', 'v1.0', COMMIT].includes(decodeURIComponent(revision))) {
          response.writeHead(200, { 'Content-Type': 'application/json' });
          response.end(JSON.stringify(description()));
        } else {
          response.writeHead(404, { 'X-Error-Code': 'RevisionNotFound' }).end('{}');
        }
        return;
      }
      const name = new RegExp(`^/tiny/llama/resolve/${COMMIT}/(.+)$`).exec(path)?.[1];
      const bytes = name === undefined ? undefined : files.get(decodeURIComponent(name));
      if (name === undefined || bytes === undefined) {
        response.writeHead(404, { 'X-Error-Code': 'RepoNotFound' }).end('{}');
      } else if (isLarge(name)) {
        response
          .writeHead(302, {
            Location: `${test.fileHost}/blobs/${name}?Signature=secret`,
            'X-Repo-Commit': COMMIT,
            'X-Linked-Size': String(bytes.length),
            'X-Linked-Etag': `"${sha256(bytes)}"`,
          })
          .end();
      } else {
        send(request, response, bytes, fault, {
          'X-Repo-Commit': COMMIT,
          ETag: `"${blobId(bytes)}"`,
        });
      }
    }),
  );
  cdn = await listen(
    createServer((request, response) => {
      const path = note('files', request);
      const fault = takeFault(path) ?? {};
      if (fail(response, fault)) return;
      const bytes = files.get(path.replace('/blobs/', '')) ?? new Uint8Array();
      send(request, response, bytes, fault, { ETag: `"${sha256(bytes)}"` });
    }),
  );
  test.endpoint = hub.origin;
  test.fileHost = cdn.origin;
  return test;
}
