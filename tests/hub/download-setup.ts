/** What the tests of downloads share: a hub on this machine, a store in memory, and short-hands. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect } from 'vitest';
import {
  downloadModel,
  Ledger,
  type DownloadedModel,
  type DownloadOptions,
  type DownloadRequest,
  type HubError,
  type LedgerEntry,
} from '../../src/lib/hub';
import { MemoryFiles, MemoryTables } from '../../src/lib/storage';
import { REPO, startHub, type Fault, type TestHub } from './hub-server';

const golden = new URL('../reference/goldens/models/llama-f16/', import.meta.url);
export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

export const MODEL: ReadonlyMap<string, Uint8Array> = new Map<string, Uint8Array>([
  ['.gitattributes', text('*.safetensors filter=lfs')],
  ['README.md', text('# tiny')],
  ['config.json', readFileSync(new URL('config.json', golden))],
  ['generation_config.json', readFileSync(new URL('generation_config.json', golden))],
  ['model.safetensors', readFileSync(new URL('model.safetensors', golden))],
  ['onnx/model.onnx', text('not ours')],
  ['pytorch_model.bin', text('not safe')],
  ['tokenizer.json', text('{"version":"1.0"}')],
]);
export const KEPT = [
  'README.md',
  'config.json',
  'generation_config.json',
  'model.safetensors',
  'tokenizer.json',
];
export const WEIGHTS = 'model.safetensors';
export const weightsSize = MODEL.get(WEIGHTS)?.length ?? 0;
export const FOLDER = 'models/tiny--llama';

export let hub: TestHub;
export let files: MemoryFiles;
export let tables: MemoryTables;
export let waits: number[];

beforeEach(async () => {
  hub = await startHub(MODEL);
  files = new MemoryFiles();
  tables = new MemoryTables();
  waits = [];
});

afterEach(() => hub.close());

export async function useHubWith(model: ReadonlyMap<string, Uint8Array>): Promise<void> {
  await hub.close();
  hub = await startHub(model);
}

export const download = (
  request: Partial<DownloadRequest> = {},
  options: Partial<DownloadOptions> = {},
  store = files,
): Promise<DownloadedModel> =>
  downloadModel({ repo: REPO, endpoint: hub.endpoint, ...request }, store, {
    tables,
    sleep: (ms) => {
      waits.push(ms);
      return Promise.resolve();
    },
    ...options,
  });

export const fault = (suffix: string, ...faults: Fault[]): unknown =>
  hub.faults.set(suffix, faults);
export const repeat = (count: number, one: Fault): Fault[] =>
  Array.from({ length: count }, () => one);
export const ranges = (): (string | undefined)[] =>
  hub.seen.filter(({ host }) => host === 'files').map(({ range }) => range);
export const ledger = (): Promise<LedgerEntry[]> => new Ledger(tables).list();

export async function expectWhole(): Promise<void> {
  const entries = await files.list('');
  expect(entries.map(({ path }) => path)).toEqual(KEPT.map((name) => `${FOLDER}/${name}`));
  for (const name of KEPT) {
    const bytes = new Uint8Array(await (await files.readFile(`${FOLDER}/${name}`)).arrayBuffer());
    expect(Buffer.from(bytes).equals(Buffer.from(MODEL.get(name) ?? []))).toBe(true);
  }
}

export const failure = (promise: Promise<unknown>): Promise<HubError> =>
  promise.then(
    () => Promise.reject(new Error('expected a rejection')),
    (error: HubError) => error,
  );
