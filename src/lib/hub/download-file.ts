/**
 * One file of a repository into the store: in pieces that survive a dropped connection or a closed tab,
 * and only under its own name once its bytes are those that were published.
 */
import type { FileStore } from '../storage/file-store';
import type { Tables } from '../storage/table-store';
import { errorOfAnswer, HubError } from './errors';
import { fetchForeign, type ForeignAnswer } from './fetch-foreign';
import type { RemoteFile } from './model-index';
import { Sha256 } from '../formats/sha256';

export interface FileRequest {
  file: RemoteFile;
  url: string;
  /** For the ledger and for sentences. */
  purpose: string;
  page: string;
  commit: string;
  headers: Record<string, string>;
  /** Where the pieces gather. */
  partPath: string;
  targetPath: string;
}

export interface TransferOptions {
  files: FileStore;
  tables: Tables;
  signal?: AbortSignal;
  /** Bytes that this file has now. */
  onProgress: (doneBytes: number) => void;
  stallMs?: number;
}

const REHASH_BYTES = 4 * 2 ** 20;
/** Small files come with a git blob id instead; larger ones with one would not fit in memory. */
const MAX_BLOB_BYTES = 64 * 2 ** 20;

/** Makes one attempt, going on from what an earlier one left. Throws retryable errors as such. */
export async function transferFile(request: FileRequest, options: TransferOptions): Promise<void> {
  const { files } = options;
  const { partPath } = request;
  let have = await sizeOf(files, partPath);
  if (request.file.sizeBytes !== undefined && have > request.file.sizeBytes) {
    await files.remove(partPath);
    have = 0;
  }
  const hash = new Sha256();
  for (let at = 0; at < have; at += REHASH_BYTES) {
    options.signal?.throwIfAborted();
    hash.update(await files.readRange(partPath, at, at + REHASH_BYTES));
  }

  let { sizeBytes, sha256 } = request.file;
  const complete = sizeBytes !== undefined && have === sizeBytes;
  if (!complete || (sizeBytes === 0 && !(await files.exists(partPath)))) {
    const answer = await open(request, options, have);
    sizeBytes ??= readLinkedSize(answer.headers);
    sha256 ??= readLinkedHash(answer.headers);
    if (have > 0 && !continues(answer, have, sizeBytes)) {
      await answer.discard();
      await files.remove(partPath);
      throw startAgain(request, 'would not go on where it broke off');
    }
    await files.appendFile(partPath, count(answer, hash, have, sizeBytes, request, options));
  }
  await verify(request, { sizeBytes, sha256 }, hash.digest(), files);
  await files.rename(partPath, request.targetPath);
}

async function open(
  request: FileRequest,
  options: TransferOptions,
  have: number,
): Promise<ForeignAnswer> {
  const { url, purpose, page, commit } = request;
  const answer = await fetchForeign(options.tables, {
    url,
    purpose,
    headers: { ...request.headers, ...(have > 0 ? { Range: `bytes=${have}-` } : {}) },
    signal: options.signal,
    stallMs: options.stallMs,
  });
  if (answer.status === 416) {
    await answer.discard();
    await options.files.remove(request.partPath);
    throw startAgain(request, 'is shorter than what came before');
  }
  if (!answer.ok) {
    await answer.discard();
    throw errorOfAnswer(answer, {
      what: purpose,
      page,
      hasToken: 'Authorization' in request.headers,
      host: new URL(url).host,
    });
  }
  const served = answer.headers.get('X-Repo-Commit');
  if (served !== null && served !== commit) {
    await answer.discard();
    const message = `${purpose} changed while it was downloaded. Download it again.`;
    throw new HubError('bad-answer', message, { details: { what: purpose } });
  }
  return answer;
}

async function* count(
  answer: ForeignAnswer,
  hash: Sha256,
  have: number,
  sizeBytes: number | undefined,
  request: FileRequest,
  options: TransferOptions,
): AsyncGenerator<Uint8Array> {
  let done = have;
  for await (const chunk of answer.bytes()) {
    done += chunk.length;
    if (sizeBytes !== undefined && done > sizeBytes) {
      // Appending these would only be thrown away: the part is removed by the next attempt.
      throw wrongBytes(request, `is longer than the ${sizeBytes} bytes that were announced`);
    }
    hash.update(chunk);
    yield chunk;
    options.onProgress(done);
  }
}

/** Whether an answer is the rest of the file, from where we are. */
function continues(answer: ForeignAnswer, have: number, sizeBytes: number | undefined): boolean {
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(answer.headers.get('Content-Range') ?? '');
  if (answer.status !== 206) return false;
  // A host that exposes no Content-Range to other origins has still said 206: the hash will tell.
  if (!match) return !answer.headers.has('Content-Range');
  const [, start, total] = match;
  return (
    Number(start) === have &&
    (total === '*' || sizeBytes === undefined || Number(total) === sizeBytes)
  );
}

async function verify(
  request: FileRequest,
  expected: { sizeBytes: number | undefined; sha256: string | undefined },
  digest: string,
  files: FileStore,
): Promise<void> {
  const { partPath, file, purpose, url } = request;
  const size = await sizeOf(files, partPath);
  if (expected.sizeBytes !== undefined && size < expected.sizeBytes) {
    const message = `${purpose} ended after ${size} of ${expected.sizeBytes} bytes.`;
    throw new HubError('dropped', message, {
      retryable: true,
      details: { what: purpose, host: new URL(url).host },
    });
  }
  if (expected.sizeBytes !== undefined && size > expected.sizeBytes) {
    await files.remove(partPath);
    throw wrongBytes(request, `is longer than the ${expected.sizeBytes} bytes that were announced`);
  }
  const wrongHash =
    (expected.sha256 !== undefined && digest !== expected.sha256) ||
    (file.blobId !== undefined &&
      size <= MAX_BLOB_BYTES &&
      (await gitBlobId(await files.readRange(partPath, 0, size))) !== file.blobId);
  if (wrongHash) {
    await files.remove(partPath);
    throw wrongBytes(request, 'does not have the hash that its publisher gave');
  }
}

export async function gitBlobId(bytes: Uint8Array): Promise<string> {
  const header = new TextEncoder().encode(`blob ${bytes.length}\0`);
  const whole = new Uint8Array(header.length + bytes.length);
  whole.set(header);
  whole.set(bytes, header.length);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-1', whole));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function sizeOf(files: FileStore, path: string): Promise<number> {
  return (await files.exists(path)) ? (await files.readFile(path)).size : 0;
}

function readLinkedSize(headers: Headers): number | undefined {
  const text = headers.get('X-Linked-Size') ?? '';
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

function readLinkedHash(headers: Headers): string | undefined {
  return /^(?:W\/)?"?([0-9a-f]{64})"?$/.exec(headers.get('X-Linked-Etag') ?? '')?.[1];
}

const startAgain = ({ purpose, url }: FileRequest, found: string): HubError =>
  new HubError('dropped', `${purpose} ${found}; it starts again.`, {
    retryable: true,
    details: { what: purpose, host: new URL(url).host },
  });

const wrongBytes = ({ purpose, url }: FileRequest, found: string): HubError =>
  new HubError(
    'wrong-bytes',
    `${purpose} ${found}. It was thrown away. Try again, or choose another host in Settings.`,
    { details: { what: purpose, host: new URL(url).host } },
  );
