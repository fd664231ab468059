/**
 * Plan: a whole model; what is asked and what is not; going on after a cut, over sessions; every
 * retryable fault and its limit; stopping; a full device. Against a hub on this machine.
 */
import { describe, expect, it } from 'vitest';
import type { DownloadProgress } from '../../src/lib/hub';
import { holdLock, MemoryFiles } from '../../src/lib/storage';
import { COMMIT, REPO } from './hub-server';
import {
  text,
  MODEL,
  KEPT,
  WEIGHTS,
  weightsSize,
  FOLDER,
  hub,
  files,
  waits,
  useHubWith,
  download,
  fault,
  ranges,
  ledger,
  expectWhole,
  failure,
  repeat,
} from './download-setup';

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
    const sharded = new Map(MODEL);
    sharded.delete(WEIGHTS);
    for (const n of [1, 2]) sharded.set(`model-0000${n}-of-00002.safetensors`, text(`shard ${n}`));
    sharded.set('model.safetensors.index.json', text('{"weight_map":{}}'));
    await useHubWith(sharded);
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
    await useHubWith(MODEL);
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
