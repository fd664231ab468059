/**
 * What a repository holds, as the Hub's `GET /api/models/REPO/revision/REV?blobs=true` tells it, and
 * which of its files make a model folder. Source: huggingface_hub `hf_api.py` (`model_info`).
 */
import { HubError } from './errors';

export interface RemoteFile {
  path: string;
  /** Undefined where the host does not say. */
  sizeBytes: number | undefined;
  /** Of large files: SHA-256, hexadecimal. */
  sha256: string | undefined;
  /** Of small files: the git blob id, SHA-1 over `blob SIZE\0` and the bytes. */
  blobId: string | undefined;
}

export interface ModelIndex {
  /** Pins every later request, so that one download is one state of the repository. */
  commit: string;
  files: RemoteFile[];
}

/** A shard index of the largest models has some ten thousand entries. */
export const MAX_INDEX_BYTES = 16 * 2 ** 20;

const SMALL_FILES = new Set([
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
  'README.md',
  'LICENSE',
  'LICENSE.txt',
  'LICENSE.md',
]);
const WHOLE = 'model.safetensors';
const SHARD_INDEX = 'model.safetensors.index.json';
const SHARD = /^model-\d{5}-of-\d{5}\.safetensors$/;

export function parseModelIndex(text: string, repo: string): ModelIndex {
  const fail = (found: string): never => {
    throw new HubError('bad-answer', `The hub's description of ${repo} ${found}.`, {
      details: { what: repo },
    });
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return fail('is not JSON');
  }
  const { sha, siblings } = (typeof value === 'object' && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  if (typeof sha !== 'string' || !/^[0-9a-f]{40}$/.test(sha)) return fail('names no commit');
  if (!Array.isArray(siblings)) return fail('lists no files');
  const files = siblings.flatMap((entry: unknown) => parseFile(entry));
  const paths = new Set<string>();
  for (const { path } of files) {
    // Which of two sizes and hashes would be the file's own?
    if (paths.has(path)) return fail(`lists ${path.slice(0, 80)} twice`);
    paths.add(path);
  }
  return { commit: sha, files };
}

function parseFile(entry: unknown): RemoteFile[] {
  if (typeof entry !== 'object' || entry === null) return [];
  const { rfilename, size, blobId, lfs } = entry as Record<string, unknown>;
  if (typeof rfilename !== 'string') return [];
  const { sha256, size: lfsSize } = (lfs ?? {}) as Record<string, unknown>;
  return [
    {
      path: rfilename,
      sizeBytes: readSize(lfsSize) ?? readSize(size),
      sha256: readHash(sha256, 64),
      // The blob of a large file is only a pointer to it.
      blobId: lfs === undefined || lfs === null ? readHash(blobId, 40) : undefined,
    },
  ];
}

const readSize = (value: unknown): number | undefined =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;

const readHash = (value: unknown, length: number): string | undefined =>
  typeof value === 'string' && value.length === length && /^[0-9a-f]+$/.test(value)
    ? value
    : undefined;

/** The files that Inkstone opens, small ones first. Throws 'unsupported-files' naming what is missing. */
export function chooseFiles(index: ModelIndex, repo: string): RemoteFile[] {
  const byPath = new Map(index.files.map((file) => [file.path, file]));
  const whole = byPath.has(WHOLE);
  const shards = index.files.filter(({ path }) => SHARD.test(path));
  const weights = whole ? [WHOLE] : [SHARD_INDEX, ...shards.map(({ path }) => path)];

  const missing = ['config.json', 'tokenizer.json', ...(whole ? [] : [SHARD_INDEX])].filter(
    (path) => !byPath.has(path),
  );
  if (!whole && shards.length === 0) missing.push(WHOLE);
  if (missing.length > 0) {
    const names = missing.join(', ');
    throw new HubError(
      'unsupported-files',
      `${repo} has no ${names}. Inkstone opens models published as safetensors with a tokenizer.json: choose such a model.`,
      { details: { what: repo, missing: names } },
    );
  }
  const small = index.files.filter(({ path }) => SMALL_FILES.has(path));
  return [...small, ...weights.flatMap((path) => byPath.get(path) ?? [])];
}
