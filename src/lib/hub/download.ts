/**
 * Brings a model of the Hub into the store, file by file, and goes on where an earlier attempt broke
 * off. The model's folder appears only when everything in it is right.
 */
import { storageFull } from '../storage/errors';
import type { FileStore } from '../storage/file-store';
import { holdLock } from '../storage/locks';
import type { Tables } from '../storage/table-store';
import { errorOfAnswer, HubError } from './errors';
import { fetchForeign } from './fetch-foreign';
import { DEFAULT_ENDPOINT } from './hosts';
import { transferFile } from './download-file';
import {
  chooseFiles,
  MAX_INDEX_BYTES,
  parseModelIndex,
  type ModelIndex,
  type RemoteFile,
} from './model-index';
import { retrying, type Sleep } from './retry';

export interface DownloadRequest {
  /** `owner/name`. */
  repo: string;
  /** A branch, a tag or a commit; `main` when left out. */
  revision?: string;
  /** The original hub or a mirror of it. */
  endpoint?: string;
  /** Only ever sent to the endpoint, never to where it redirects. */
  token?: string;
  /** Name of the folder under `models/`; made of the repository when left out. */
  id?: string;
}

export interface DownloadProgress {
  doneBytes: number;
  totalBytes: number;
  /** The file under way. */
  file: string;
}

export interface DownloadOptions {
  /** For the ledger and the seal. */
  tables: Tables;
  signal?: AbortSignal;
  onProgress?: (progress: DownloadProgress) => void;
  /** Tests give their own. */
  sleep?: Sleep;
  stallMs?: number;
}

export interface DownloadedModel {
  /** In the file store, such as `models/owner--name`. */
  folder: string;
  repo: string;
  commit: string;
  sizeBytes: number;
  files: { path: string; sizeBytes: number; sha256?: string }[];
}

const REPO = /^[\w.-]{1,96}\/[\w.-]{1,96}$/;
const REVISION = /^[\w./-]{1,200}$/;

export const folderNameOf = (repo: string): string => repo.replace('/', '--');

/**
 * Throws HubError, and StorageError 'full' before the first byte when the model cannot fit,
 * 'second-tab' when another tab downloads the same model.
 */
export async function downloadModel(
  request: DownloadRequest,
  files: FileStore,
  options: DownloadOptions,
): Promise<DownloadedModel> {
  const { repo, revision = 'main', endpoint = DEFAULT_ENDPOINT, token } = request;
  checkRequest(request);
  const id = request.id ?? folderNameOf(repo);
  const headers: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {};
  const hub = { repo, revision, endpoint: endpoint.replace(/\/+$/, ''), headers };

  return holdLock(`inkstone:download:${id}`, options, async () => {
    const index = await retrying(() => readIndex(hub, options), { ...options, progress: () => 0 });
    return bring(hub, index, id, files, options);
  });
}

interface Hub {
  repo: string;
  revision: string;
  endpoint: string;
  headers: Record<string, string>;
}

async function readIndex(hub: Hub, options: DownloadOptions): Promise<ModelIndex> {
  const { repo, revision, endpoint, headers } = hub;
  const url = `${endpoint}/api/models/${repo}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const answer = await fetchForeign(options.tables, {
    url,
    purpose: repo,
    headers,
    signal: options.signal,
    stallMs: options.stallMs,
  });
  if (!answer.ok) {
    await answer.discard();
    throw errorOfAnswer(answer, {
      what: repo,
      page: `${endpoint}/${repo}`,
      hasToken: 'Authorization' in headers,
      host: new URL(endpoint).host,
    });
  }
  return parseModelIndex(await answer.text(MAX_INDEX_BYTES), repo);
}

async function bring(
  hub: Hub,
  index: ModelIndex,
  id: string,
  files: FileStore,
  options: DownloadOptions,
): Promise<DownloadedModel> {
  const { repo, endpoint, headers } = hub;
  const { commit } = index;
  const chosen = chooseFiles(index, repo);
  const staging = `downloads/${id}`;
  // The commit is in the path, so that files of two states of a repository never meet.
  const ready = `${staging}/${commit}`;
  await discardOthers(files, staging, ready);

  const doneBytes = new Map<string, number>();
  for (const { path } of chosen) doneBytes.set(path, await presentBytes(files, ready, path));
  const total = (): number => sum([...doneBytes.values()]);
  const totalBytes = sum(chosen.map(({ sizeBytes }) => sizeBytes ?? 0));
  const neededBytes = totalBytes - total();
  const freeBytes = await files.freeBytes();
  if (neededBytes > freeBytes) throw storageFull(repo, neededBytes, freeBytes);

  for (const file of chosen) {
    const report = (done: number): void => {
      doneBytes.set(file.path, done);
      options.onProgress?.({
        doneBytes: total(),
        totalBytes: Math.max(totalBytes, total()),
        file: file.path,
      });
    };
    const targetPath = `${ready}/${file.path}`;
    if (!(await files.exists(targetPath))) {
      const transfer = {
        file,
        url: `${endpoint}/${repo}/resolve/${commit}/${encodeURIComponent(file.path)}`,
        purpose: `${repo}/${file.path}`,
        page: `${endpoint}/${repo}`,
        commit,
        headers,
        partPath: `${targetPath}.part`,
        targetPath,
      };
      await retrying(() => transferFile(transfer, { ...options, files, onProgress: report }), {
        ...options,
        progress: () => doneBytes.get(file.path) ?? 0,
      });
    }
    report((await files.readFile(targetPath)).size);
  }
  return publish(hub, commit, chosen, ready, id, files);
}

/** Moves what is ready to where models are opened. */
async function publish(
  { repo }: Hub,
  commit: string,
  chosen: readonly RemoteFile[],
  ready: string,
  id: string,
  files: FileStore,
): Promise<DownloadedModel> {
  const folder = `models/${id}`;
  const moved: DownloadedModel['files'] = [];
  for (const { path, sha256 } of chosen) {
    const { size } = await files.readFile(`${ready}/${path}`);
    moved.push({ path, sizeBytes: size, ...(sha256 === undefined ? {} : { sha256 }) });
  }
  await files.remove(folder);
  for (const { path } of chosen) await files.rename(`${ready}/${path}`, `${folder}/${path}`);
  await files.remove(`downloads/${id}`);
  return {
    folder,
    repo,
    commit,
    sizeBytes: sum(moved.map((file) => file.sizeBytes)),
    files: moved,
  };
}

/** What was downloaded of an older state of the repository. */
async function discardOthers(files: FileStore, staging: string, ready: string): Promise<void> {
  for (const { path } of await files.list(staging)) {
    if (!path.startsWith(`${ready}/`)) await files.remove(path);
  }
}

async function presentBytes(files: FileStore, folder: string, path: string): Promise<number> {
  const [entry] = [
    ...(await files.list(`${folder}/${path}`)),
    ...(await files.list(`${folder}/${path}.part`)),
  ];
  return (entry as typeof entry | undefined)?.sizeBytes ?? 0;
}

function checkRequest({ repo, revision = 'main', endpoint, id }: DownloadRequest): void {
  const refuse = (what: string, found: string, allowed: string): never => {
    throw new HubError('bad-request', `${JSON.stringify(found)} is no ${what}. ${allowed}`, {
      details: { what, found },
    });
  };
  if (!REPO.test(repo) || repo.includes('..')) {
    refuse('model name', repo, 'It reads owner/name, as at the top of its page on the hub.');
  }
  if (!REVISION.test(revision) || revision.includes('..')) {
    refuse('revision', revision, 'Give a branch, a tag or a commit.');
  }
  if (endpoint !== undefined && !URL.canParse(endpoint)) {
    refuse('hub address', endpoint, 'It begins with https://.');
  }
  if (id !== undefined && !/^[\w.-]{1,150}$/.test(id)) {
    refuse('folder name', id, 'Letters, digits, dots and dashes are allowed.');
  }
}

const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);
