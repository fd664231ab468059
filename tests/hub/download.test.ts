/**
 * Plan: a whole model; what is asked and what is not; going on after a cut, over sessions; every
 * retryable fault and its limit; every permanent one with its sentence; wrong bytes; hosts, seal and
 * ledger; abort; a full device. Against a hub on this machine, over a store in memory.
 */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  downloadModel,
  HubError,
  Ledger,
  setSealClosed,
  type DownloadOptions,
  type DownloadProgress,
  type DownloadRequest,
  type LedgerEntry,
} from '../../src/lib/hub';
import { holdLock, MemoryFiles, MemoryTables } from '../../src/lib/storage';
import { COMMIT, REPO, startHub, type Fault, type TestHub } from './hub-server';

const golden = new URL('../reference/goldens/models/llama-f16/', import.meta.url);
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

const MODEL = new Map<string, Uint8Array>([
  ['.gitattributes', text('*.safetensors filter=lfs')],
  ['README.md', text('# tiny')],
  ['config.json', readFileSync(new URL('config.json', golden))],
  ['generation_config.json', readFileSync(new URL('generation_config.json', golden))],
  ['model.safetensors', readFileSync(new URL('model.safetensors', golden))],
  ['onnx/model.onnx', text('not ours')],
  ['pytorch_model.bin', text('not safe')],
  ['tokenizer.json', text('{"version":"1.0"}')],
]);
const KEPT = [
  'README.md',
  'config.json',
  'generation_config.json',
  'model.safetensors',
  'tokenizer.json',
];
const WEIGHTS = 'model.safetensors';
const weightsSize = MODEL.get(WEIGHTS)?.length ?? 0;
const FOLDER = 'models/tiny--llama';

let hub: TestHub;
let files: MemoryFiles;
let tables: MemoryTables;
let waits: number[];

beforeEach(async () => {
  hub = await startHub(MODEL);
  files = new MemoryFiles();
  tables = new MemoryTables();
  waits = [];
});

afterEach(() => hub.close());

const download = (
  request: Partial<DownloadRequest> = {},
  options: Partial<DownloadOptions> = {},
  store = files,
) =>
  downloadModel({ repo: REPO, endpoint: hub.endpoint, ...request }, store, {
    tables,
    sleep: (ms) => {
      waits.push(ms);
      return Promise.resolve();
    },
    ...options,
  });

const fault = (suffix: string, ...faults: Fault[]): unknown => hub.faults.set(suffix, faults);
const repeat = (count: number, one: Fault): Fault[] => Array.from({ length: count }, () => one);
const ranges = (): (string | undefined)[] =>
  hub.seen.filter(({ host }) => host === 'files').map(({ range }) => range);
const ledger = (): Promise<LedgerEntry[]> => new Ledger(tables).list();

async function expectWhole(): Promise<void> {
  const entries = await files.list('');
  expect(entries.map(({ path }) => path)).toEqual(KEPT.map((name) => `${FOLDER}/${name}`));
  for (const name of KEPT) {
    const bytes = new Uint8Array(await (await files.readFile(`${FOLDER}/${name}`)).arrayBuffer());
    expect(Buffer.from(bytes).equals(Buffer.from(MODEL.get(name) ?? []))).toBe(true);
  }
}

const failure = (promise: Promise<unknown>): Promise<HubError> =>
  promise.then(
    () => Promise.reject(new Error('expected a rejection')),
    (error: HubError) => error,
  );

describe('a download', () => {
  it('brings the files of a model folder, byte for byte, and no others', async () => {
    const model = await download();
    await expectWhole();
    expect(model).toMatchObject({ folder: FOLDER, repo: REPO, commit: COMMIT });
    expect(model.files.map(({ path }) => path).sort()).toEqual(KEPT);
    expect(model.sizeBytes).toBe(model.files.reduce((sum, file) => sum + file.sizeBytes, 0));
  });

  it('only ever GETs, and pins every file to the commit', async () => {
    await download();
    expect(new Set(hub.seen.map(({ method }) => method))).toEqual(new Set(['GET']));
    const resolved = hub.seen.filter(({ path }) => path.includes('/resolve/'));
    expect(resolved.every(({ path }) => path.includes(`/resolve/${COMMIT}/`))).toBe(true);
    expect(hub.seen.some(({ path }) => /onnx|pytorch|gitattributes/.test(path))).toBe(false);
  });

  it('reports progress that never falls and ends at the total', async () => {
    const seen: DownloadProgress[] = [];
    const { sizeBytes } = await download({}, { onProgress: (progress) => seen.push(progress) });
    const done = seen.map(({ doneBytes }) => doneBytes);
    expect([...done].sort((a, b) => a - b)).toEqual(done);
    expect(seen.at(-1)).toMatchObject({ doneBytes: sizeBytes, totalBytes: sizeBytes });
  });

  it('takes a tag, and a folder name of the caller', async () => {
    expect(await download({ revision: 'v1.0', id: 'mine' })).toMatchObject({
      folder: 'models/mine',
    });
  });

  it('brings shards with their index', async () => {
    await hub.close();
    const sharded = new Map(MODEL);
    sharded.delete(WEIGHTS);
    for (const n of [1, 2]) sharded.set(`model-0000${n}-of-00002.safetensors`, text(`shard ${n}`));
    sharded.set('model.safetensors.index.json', text('{"weight_map":{}}'));
    hub = await startHub(sharded);
    const model = await download();
    expect(model.files.map(({ path }) => path).filter((path) => path.startsWith('model'))).toEqual([
      'model.safetensors.index.json',
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
    ]);
  });

  it('sends the token to the hub and not to where it redirects', async () => {
    hub.token = 'hf_secret';
    await download({ token: 'hf_secret' });
    const tokens = (host: string): Set<string | undefined> =>
      new Set(hub.seen.filter((seen) => seen.host === host).map((seen) => seen.authorization));
    expect(tokens('hub')).toEqual(new Set(['Bearer hf_secret']));
    expect(tokens('files')).toEqual(new Set([undefined]));
    expect(JSON.stringify(await ledger())).not.toContain('secret');
  });

  it('works where the hub gives neither sizes nor hashes', async () => {
    hub.describe = (description) => ({
      ...description,
      siblings: [...MODEL.keys()].map((rfilename) => ({ rfilename })),
    });
    await download();
    await expectWhole();
  });
});

describe('a broken connection', () => {
  it('is taken up where it broke off', async () => {
    fault(`blobs/${WEIGHTS}`, { cutAfter: 10_000 }, { cutAfter: 20_000 });
    await download();
    await expectWhole();
    expect(ranges()).toEqual([undefined, 'bytes=10000-', 'bytes=30000-']);
    expect(waits).toHaveLength(2);
  });

  it('is taken up in a later session, with the hash over both parts', async () => {
    fault(`blobs/${WEIGHTS}`, { cutAfter: 10_000 }, ...repeat(6, { status: 503 }));
    expect(await failure(download())).toMatchObject({ code: 'server', retryable: true });
    expect((await files.list('models')).length).toBe(0);
    hub.faults.clear();
    hub.seen.length = 0;
    await download();
    await expectWhole();
    expect(ranges()).toEqual(['bytes=10000-']);
    // The small files were ready, and are not asked for again.
    expect(hub.seen.filter(({ path }) => path.endsWith('config.json'))).toEqual([]);
  });

  it('starts again where the host knows no ranges, lies about them, or has less', async () => {
    for (const second of [{ ignoreRange: true }, { wrongStart: true }, { status: 416 }]) {
      fault(`blobs/${WEIGHTS}`, { cutAfter: 10_000 }, second);
      hub.seen.length = 0;
      await files.remove('');
      await download();
      await expectWhole();
      expect(ranges()).toEqual([undefined, 'bytes=10000-', undefined]);
    }
  });

  it('does not mix two states of a repository', async () => {
    await files.writeFile(`downloads/tiny--llama/${'f'.repeat(40)}/${WEIGHTS}.part`, text('older'));
    await download();
    await expectWhole();
    expect(ranges()).toEqual([undefined]);
  });

  it('that brings nothing for too long counts as dropped', async () => {
    fault(`blobs/${WEIGHTS}`, { stallAfter: 10_000 });
    await download({}, { stallMs: 200 });
    await expectWhole();
    expect(ranges()).toEqual([undefined, 'bytes=10000-']);
  });

  it('is given up after six attempts that bring nothing', async () => {
    fault('revision/main', ...repeat(20, { status: 502 }));
    expect(await failure(download())).toMatchObject({ code: 'server' });
    expect(hub.seen).toHaveLength(6);
    expect(waits).toHaveLength(5);
    expect(waits[4]).toBeGreaterThan(waits[0]);
  });

  it('is never given up while every attempt brings something', async () => {
    fault(`blobs/${WEIGHTS}`, ...repeat(12, { cutAfter: 4_000 }));
    await download();
    await expectWhole();
    expect(ranges()).toHaveLength(13);
  });

  it('to no host at all says so', async () => {
    await hub.close();
    const error = await failure(download());
    expect(error).toMatchObject({ code: 'dropped', retryable: true });
    expect((await ledger())[0]).toMatchObject({ outcome: 'failed', bytes: 0 });
    hub = await startHub(MODEL);
  });
});

describe('a busy host', () => {
  it('is waited for as long as it asks', async () => {
    fault('revision/main', { status: 429, headers: { 'Retry-After': '7' } });
    await download();
    await expectWhole();
    expect(waits).toEqual([7000]);
  });

  it('that asks for hours is waited for five minutes', async () => {
    fault('revision/main', { status: 429, headers: { 'Retry-After': '86400' } });
    await download();
    expect(waits).toEqual([300_000]);
  });
});

describe('a refusal', () => {
  const cases: [string, Fault, Partial<DownloadRequest>, string][] = [
    ['of a gated model', { status: 403, headers: { 'X-Error-Code': 'GatedRepo' } }, {}, 'gated'],
    ['without a token', { status: 401 }, {}, 'gated'],
    ['of the token', { status: 401 }, { token: 'old' }, 'token-refused'],
    [
      'of a model that is not there',
      { status: 401, headers: { 'X-Error-Code': 'RepoNotFound' } },
      {},
      'not-found',
    ],
    ['of a file that is not there', { status: 404 }, {}, 'not-found'],
    ['that nobody expects', { status: 418 }, {}, 'bad-answer'],
  ];
  it.each(cases)('%s is permanent and names the next step', async (_title, one, request, code) => {
    fault('revision/main', one);
    const error = await failure(download(request));
    expect(error).toBeInstanceOf(HubError);
    expect(error).toMatchObject({ code, retryable: false });
    expect(hub.seen).toHaveLength(1);
    hub.faults.clear();
    await download();
    await expectWhole();
  });

  it('of a gated model says where to accept its conditions', async () => {
    hub.token = 'needed';
    const error = await failure(download());
    expect(error.message).toContain(`${hub.endpoint}/${REPO}`);
    expect(error.details.page).toBe(`${hub.endpoint}/${REPO}`);
  });

  it('of an unknown revision', async () => {
    expect(await failure(download({ revision: 'never' }))).toMatchObject({ code: 'not-found' });
  });

  it.each([
    [{ repo: 'no-owner' }],
    [{ repo: '../etc/passwd' }],
    [{ repo: 'a/..' }],
    [{ repo: 'a/b?x' }],
    [{ revision: '../main' }],
    [{ revision: 'a b' }],
    [{ endpoint: 'not a url' }],
    [{ id: '../up' }],
  ])('of a request that makes no sense is made before anything is sent: %j', async (request) => {
    expect(await failure(download(request))).toMatchObject({ code: 'bad-request' });
    expect(hub.seen).toEqual([]);
  });

  it.each([
    ['config.json', 'config.json'],
    ['tokenizer.json', 'tokenizer.json'],
    [WEIGHTS, 'model.safetensors'],
  ])('of a repository without %s names it', async (path, named) => {
    hub.describe = ({ siblings, ...rest }) => ({
      ...rest,
      siblings: (siblings as { rfilename: string }[]).filter((file) => file.rfilename !== path),
    });
    const error = await failure(download());
    expect(error).toMatchObject({ code: 'unsupported-files', retryable: false });
    expect(error.message).toContain(named);
  });

  it.each([
    ['no commit', { sha: 'main' }],
    ['no list', { siblings: 'none' }],
  ])('of a description with %s', async (_title, wrong) => {
    hub.describe = (description) => ({ ...description, ...wrong });
    expect(await failure(download())).toMatchObject({ code: 'bad-answer' });
  });
});

describe('wrong bytes', () => {
  it.each([[WEIGHTS], ['config.json']])('of %s once are fetched again', async (path) => {
    fault(`/${path}`, ...(path === WEIGHTS ? [{}, { corrupt: true }] : [{ corrupt: true }]));
    await download();
    await expectWhole();
  });

  it.each([[WEIGHTS], ['config.json']])(
    'of %s twice are refused, and nothing is kept',
    async (path) => {
      fault(`${path === WEIGHTS ? 'blobs' : COMMIT}/${path}`, ...repeat(4, { corrupt: true }));
      expect(await failure(download())).toMatchObject({ code: 'wrong-bytes', retryable: false });
      const left = (await files.list('')).map((entry) => entry.path);
      expect(left.filter((entry) => entry.includes(path))).toEqual([]);
      expect(left.filter((entry) => entry.startsWith('models/'))).toEqual([]);
    },
  );

  it('that are too many are not stored', async () => {
    fault(`blobs/${WEIGHTS}`, ...repeat(4, { extraBytes: 5 }));
    expect(await failure(download())).toMatchObject({ code: 'wrong-bytes' });
    const parts = (await files.list('downloads')).filter(({ path }) => path.endsWith('.part'));
    for (const part of parts) expect(part.sizeBytes).toBeLessThanOrEqual(weightsSize);
  });

  it('of a full part from before are found and fetched anew', async () => {
    const part = `downloads/tiny--llama/${COMMIT}/${WEIGHTS}.part`;
    await files.writeFile(part, new Uint8Array(weightsSize));
    await download();
    await expectWhole();
  });
});

describe('hosts, seal and ledger', () => {
  it('every request is written down with its purpose, outcome and bytes', async () => {
    await download();
    const entries = (await ledger()).reverse();
    expect(entries).toHaveLength(1 + KEPT.length);
    expect(entries[0]).toMatchObject({
      method: 'GET',
      host: new URL(hub.endpoint).host,
      path: `/api/models/${REPO}/revision/main`,
      purpose: REPO,
      outcome: 'ok',
      status: 200,
    });
    const weights = entries.find(({ purpose }) => purpose === `${REPO}/${WEIGHTS}`);
    expect(weights).toMatchObject({
      bytes: weightsSize,
      finalHost: new URL(hub.fileHost).host,
      outcome: 'ok',
    });
    expect(JSON.stringify(entries)).not.toContain('Signature');
    // The notes to the service worker are gone.
    expect(await tables.list('settings')).toEqual([]);
  });

  it('a closed seal lets nothing out, and an open one does', async () => {
    await setSealClosed(tables, true);
    expect(await failure(download())).toMatchObject({ code: 'sealed', retryable: false });
    expect(hub.seen).toEqual([]);
    expect((await ledger())[0]).toMatchObject({ outcome: 'refused' });
    await setSealClosed(tables, false);
    await download();
    await expectWhole();
  });

  it('a seal that is closed in between stops at the next file', async () => {
    const error = await failure(
      download({}, { onProgress: () => void setSealClosed(tables, true) }),
    );
    expect(error).toMatchObject({ code: 'sealed' });
    expect(hub.seen.some(({ path }) => path.endsWith(WEIGHTS))).toBe(false);
  });

  it('a 503 of the service worker is not tried again', async () => {
    fault('revision/main', { status: 503, headers: { 'x-inkstone-sealed': 'closed' } });
    expect(await failure(download())).toMatchObject({ code: 'sealed' });
    expect(hub.seen).toHaveLength(1);
  });

  it.each([
    'https://example.com',
    'http://huggingface.co',
    'https://huggingface.co.example.com',
    'https://nothuggingface.co',
    'https://user:password@huggingface.co',
    'https://huggingface.co:8443',
  ])('%s is never asked', async (endpoint) => {
    expect(await failure(download({ endpoint }))).toMatchObject({ code: 'host-not-allowed' });
    expect((await ledger())[0]).toMatchObject({ outcome: 'refused' });
  });
});

describe('stopping', () => {
  it('keeps what has come, so that going on costs nothing twice', async () => {
    const controller = new AbortController();
    fault(`blobs/${WEIGHTS}`, { stallAfter: 10_000 });
    const error = await failure(
      download(
        {},
        {
          signal: controller.signal,
          onProgress: ({ file, doneBytes }) => {
            if (file === WEIGHTS && doneBytes >= 10_000) controller.abort();
          },
        },
      ),
    );
    expect(error.name).toBe('AbortError');
    expect((await ledger())[0]).toMatchObject({ outcome: 'stopped', bytes: 10_000 });
    hub.seen.length = 0;
    await download();
    await expectWhole();
    expect(ranges()).toEqual(['bytes=10000-']);
  });

  it('before the start sends nothing', async () => {
    const error = await failure(download({}, { signal: AbortSignal.abort() }));
    expect([error.name, hub.seen]).toEqual(['AbortError', []]);
  });

  it('a second download of the same model is refused while the first runs', async () => {
    await holdLock('inkstone:download:tiny--llama', {}, async () => {
      expect(await failure(download())).toMatchObject({ code: 'second-tab' });
      await download({ id: 'another' });
    });
  });
});

describe('a full device', () => {
  it('is said before the first byte of a file, with what is needed and what is free', async () => {
    const error = await failure(download({}, {}, new MemoryFiles(50_000)));
    expect(error).toMatchObject({ code: 'full', details: { freeBytes: 50_000 } });
    expect(Number(error.details.neededBytes)).toBeGreaterThan(weightsSize);
    expect(hub.seen.filter(({ path }) => path.includes('resolve'))).toEqual([]);
  });

  it('needs less when part of the model is there', async () => {
    fault(`blobs/${WEIGHTS}`, { cutAfter: 40_000 }, ...repeat(6, { status: 503 }));
    const small = new MemoryFiles(weightsSize + 3_000);
    await failure(download({}, {}, small));
    hub.faults.clear();
    expect(await download({}, {}, small)).toMatchObject({ folder: FOLDER });
  });
});
