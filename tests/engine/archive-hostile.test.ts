/**
 * Plan: a file that is cut off, lies about names, sizes, hashes, counts or kinds, leads out of the store, would
 * unpack to a bomb, comes from a newer version or from somewhere else is refused by a code and by name, and
 * nothing changes. The control is the same surgery without a lie.
 */
import { zipSync } from 'fflate';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  agreeing,
  editJson,
  encode,
  MANIFEST,
  putTogether,
  takeApart,
  text,
} from './archive-surgery';
import type { Parts } from './archive-surgery';
import { refusalOf } from './engines';
import { exportAll, fillStore, importAll, snapshot, type FullStore } from './full-store';
import { Disk } from './mortal-storage';

describe('an archive from who knows where', () => {
  let parts: Parts;
  let file: File;
  let store: FullStore;
  /** Has a few things of its own. */
  let disk: Disk;
  let before: string[];

  beforeAll(async () => {
    const source = new Disk();
    store = await fillStore(source);
    file = await exportAll(source);
    parts = await takeApart(file);
    disk = new Disk();
    await disk.files.writeFile('models/model-own/config.json', encode('{}'));
    await disk.tables.put('models', { id: 'model-own', schemaVersion: 1 });
    before = await snapshot(disk);
  });

  const copy = (): Parts => new Map(parts);
  const pathOf = (pattern: RegExp): string => [...parts.keys()].find((path) => pattern.test(path))!;

  /** Refused with the code and a sentence that names what is wrong, and nothing has changed. */
  async function refuses(hostile: File, code: string, sentence: RegExp): Promise<void> {
    const refusal = await refusalOf(importAll(disk, hostile));
    expect({ code: refusal.code, message: refusal.message }).toMatchObject({
      code,
      message: expect.stringMatching(sentence) as string,
    });
    expect(refusal.message.length).toBeLessThan(500);
    expect(await snapshot(disk)).toEqual(before);
  }

  it('is imported when nothing is wrong with it: the control', async () => {
    const other = new Disk();
    const done = await importAll(other, agreeing(copy()));
    expect(done.added).toEqual({ models: 2, datasets: 2, runs: 2, adapters: 2, evaluations: 1 });
  });

  it('is refused where it is cut off', async () => {
    const bytes = await file.arrayBuffer();
    for (const share of [0, 0.1, 0.5, 0.9, 0.999]) {
      const cut = new File([bytes.slice(0, Math.floor(share * bytes.byteLength))], 'cut.zip');
      await refuses(cut, 'wrong-format', /cut\.zip.*no zip directory/);
    }
  });

  it('is refused where it is none', async () => {
    await refuses(new File(['hello'], 'a.zip'), 'wrong-format', /a\.zip/);
    const model = new File([zipSync({ 'config.json': encode('{}') }) as BlobPart], 'model.zip');
    await refuses(model, 'wrong-archive', /model\.zip.*has no inkstone\.json.*Export everything/);
    const other = copy();
    editJson(other, MANIFEST, (manifest) => ({ ...manifest, kind: 'someone else' }));
    await refuses(putTogether(other), 'wrong-archive', /not of the kind/);
  });

  it('is refused by name where a byte was changed, in any kind of entry', async () => {
    for (const pattern of [
      /^page\.json$/,
      /^models\/.*model\.safetensors$/,
      /^models\/.*record\.json$/,
      /^datasets\/.*rows\.jsonl$/,
      /^runs\/.*checkpoint-2\/.*optimizer/,
      /^adapters\/.*adapter_model/,
      /^evaluations\//,
    ]) {
      const other = copy();
      const path = [...parts].find(
        ([name, { byteLength }]) => pattern.test(name) && byteLength > 0,
      )?.[0];
      if (path === undefined) continue;
      const bytes = other.get(path)!.slice();
      bytes[bytes.length >> 1] ^= 1;
      other.set(path, bytes);
      await refuses(putTogether(other), 'wrong-archive', /bytes of .* are not those|is no row of/);
    }
  });

  it('is refused where list and entries do not agree', async () => {
    const weights = pathOf(/^models\/.*model\.safetensors$/);
    const longer = copy();
    longer.set(weights, new Uint8Array([...longer.get(weights)!, 0]));
    await refuses(putTogether(longer), 'wrong-archive', /bytes, \d+ are listed/);
    const fewer = copy();
    fewer.delete(weights);
    await refuses(putTogether(fewer), 'wrong-archive', /is listed and not there/);
    const more = copy();
    more.set('models/model-1/record.json', encode('{}'));
    await refuses(putTogether(more), 'wrong-archive', /model-1\/record\.json is not listed/);
    const twice = (manifest: object) => {
      const { files } = manifest as { files: object[] };
      return { ...manifest, files: [...files, files[0]] };
    };
    await refuses(agreeing(copy(), twice), 'wrong-archive', /listed twice/);
  });

  it('is refused where its list is no list', async () => {
    const lists: [unknown, string][] = [
      [undefined, 'wrong-type'],
      ['many', 'wrong-type'],
      [[1], 'wrong-type'],
      [[{ path: 'page.json', sizeBytes: -1, sha256: 'a'.repeat(64) }], 'out-of-range'],
      [[{ path: 'page.json', sizeBytes: 1, sha256: 'A' }], 'wrong-type'],
      [Array(10_001).fill({}), 'wrong-archive'],
    ];
    for (const [files, code] of lists)
      await refuses(
        agreeing(copy(), (manifest) => ({ ...manifest, files })),
        code,
        /inkstone\.json|lists 10001/,
      );
  });

  it('is refused when a newer version wrote it, in so many words', async () => {
    const newer = agreeing(copy(), (manifest) => ({ ...manifest, version: 2 }));
    await refuses(newer, 'newer-archive', /written by a newer Inkstone \(format 2.*reads 1\)/);
  });

  it('is refused where a name leads out of its place', async () => {
    for (const path of ['../evil', 'models/../../evil', '/etc/passwd', 'models\\evil', 'C:/evil']) {
      const other = copy();
      other.set(path, encode('x'));
      await refuses(agreeing(other), 'unsafe-name', /names an entry/);
    }
    for (const path of [
      'evil.json',
      'models/nano-lm/record.json',
      'models/model-1/files/deep/er',
      'models/model-1/other.json',
      'settings/model-1/record.json',
      'datasets/data-1/files/rows',
      `runs/${store.finished.id}/files/checkpoint-2/evil.js`,
      `runs/${store.finished.id}/files/checkpoint-02/complete`,
      'models/model-1%2F..%2F/record.json',
      `models/model-${'x'.repeat(200)}/record.json`,
    ]) {
      const other = copy();
      other.set(path, encode('x'));
      await refuses(agreeing(other), 'wrong-archive', /no place of its layout/);
    }
  });

  it('is refused where the store would not take a name', async () => {
    const other = copy();
    const { modelId } = store;
    other.set(`models/${modelId}/files/a?b`, encode('x'));
    await refuses(agreeing(other), 'bad-path', /a\?b/);
    other.delete(`models/${modelId}/files/a?b`);
    other.set(`models/${modelId}/files/x.tmp~`, encode('x'));
    await refuses(agreeing(other), 'bad-path', /temporary/);
  });

  it('is refused where it would unpack to a bomb', async () => {
    const other = copy();
    other.set(`models/${store.modelId}/files/zeros`, new Uint8Array(40 << 20));
    const packed = zipSync(Object.fromEntries(other), { level: 9 });
    const bomb = new File([packed as BlobPart], 'bomb.zip');
    await refuses(bomb, 'too-large', /bomb\.zip would unpack/);
  });

  it('is refused where an item is not whole', async () => {
    const cases: [RegExp, RegExp][] = [
      [/^models\/.*record\.json$/, /has no record/],
      [/^models\/.*config\.json$/, /lacks config\.json|lacks tokenizer/],
      [/rows\.jsonl$/, /lacks its rows/],
      [/^runs\/.*checkpoint-2\/complete$/, /lacks checkpoint-2\/complete/],
      [/^runs\/.*checkpoint-2\/trainer_state\.json$/, /lacks checkpoint-2\/trainer_state/],
      [/^adapters\/.*adapter_config\.json$/, /lacks adapter_config/],
    ];
    for (const [pattern, sentence] of cases) {
      const other = copy();
      other.delete(pathOf(pattern));
      await refuses(agreeing(other), 'wrong-archive', sentence);
    }
  });

  it('is refused where a record says what no record may', async () => {
    const run = `runs/${store.finished.id}/record.json`;
    const data = `datasets/${store.datasetId}/record.json`;
    const model = `models/${store.modelId}/record.json`;
    const cases: [string, Record<string, unknown>, string][] = [
      [run, { id: 'run-1' }, 'wrong-type'],
      [run, { schemaVersion: 2 }, 'out-of-range'],
      [run, { status: 'dancing' }, 'wrong-type'],
      [run, { step: -1 }, 'out-of-range'],
      [run, { log: [{ step: 1, epoch: 1, loss: 'low' }] }, 'wrong-type'],
      [run, { peft: { peft_type: 'LORA', r: 1e9 } }, 'out-of-range'],
      [run, { training: { optim: 'sgd' } }, 'wrong-type'],
      [run, { name: 'x'.repeat(1001) }, 'wrong-type'],
      [data, { origin: 'bundled' }, 'wrong-type'],
      [data, { rowCount: 9 }, 'wrong-archive'],
      [data, { hash: 'a'.repeat(64) }, 'wrong-archive'],
      [model, { origin: 'catalogue' }, 'wrong-type'],
      [model, { architecture: 'GPT2LMHeadModel' }, 'wrong-type'],
    ];
    for (const [path, change, code] of cases) {
      const other = copy();
      editJson(other, path, (record) => ({ ...record, ...change }));
      await refuses(agreeing(other), code, /record|rows/);
    }
  });

  it('is refused where rows are no rows', async () => {
    const path = `datasets/${store.datasetId}/rows.jsonl`;
    const good = text(parts.get(path)!);
    for (const [rows, code] of [
      [good.slice(0, -1), 'wrong-archive'],
      [good.replace('"kind":"tokens"', '"kind":"poem"'), 'wrong-archive'],
      [good.replace(/"inputIds":\[\d+/, '"inputIds":[-7'), 'wrong-archive'],
      [good.replace('{', '['), 'not-json'],
      [`${'['.repeat(100)}${good}`, 'wrong-type'],
    ] as const) {
      const other = copy();
      other.set(path, encode(rows));
      await refuses(agreeing(other), code, /rows\.jsonl/);
    }
  });

  it('is refused where an adapter claims to be a checkpoint of a run beside it, or of another', async () => {
    const path = [...parts.keys()].find((name) =>
      /^adapters\/.*-step-9\/record\.json$/.test(name),
    )!;
    const other = copy();
    editJson(other, path, (record) => ({ ...record, runId: store.finished.id }));
    await refuses(agreeing(other), 'wrong-type', /runId/);
    const [, id] = path.split('/');
    const beside = new Map(
      [...parts].map(([name, bytes]) => [
        name.replace(id, store.finished.adapterId!),
        name === path
          ? encode(text(bytes).replaceAll(id.slice(8, -7), store.finished.id.slice(4)))
          : bytes,
      ]),
    );
    await refuses(agreeing(beside), 'wrong-archive', /one of the checkpoints of a run beside it/);
  });

  it('may say it was running: nobody is going on with it here', async () => {
    const other = copy();
    editJson(other, `runs/${store.stopped.id}/record.json`, (record) => ({
      ...record,
      status: 'running',
    }));
    const target = new Disk();
    await importAll(target, agreeing(other));
    expect(await target.tables.get('runs', store.stopped.id)).toMatchObject({
      status: 'interrupted',
    });
  });
});
