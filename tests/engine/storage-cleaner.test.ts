/**
 * Freeing space. Plan: what a tab that died while it took in a model, or an adapter, or made a merged model has left can
 * be freed, at whatever moment, and nothing that is recorded goes; nor does what is being taken in just now, nor a
 * download that broke off. So can a checkpoint that a tab has died over, but not while a run may be writing it.
 */
import { describe, expect, it } from 'vitest';
import type { EngineApi } from '$lib/rpc/engine-api';
import { readZip } from '$lib/formats';
import { startEngine } from './engines';
import { FailingGpu } from './failing-gpu';
import { Disk, Life } from './mortal-storage';
import { importSmallModel, importTokenRows, silent, smallRun } from './small-model';

const pathsOf = async ({ files }: Disk) => (await files.list('')).map(({ path }) => path).sort();

/** What a person may keep: folders of models and adapters that have a record. */
async function recordedFolders(disk: Disk): Promise<string[]> {
  const [models, adapters] = await Promise.all(
    (['models', 'adapters'] as const).map((table) => disk.tables.list(table)),
  );
  return [
    ...models.map(({ id }) => `models/${id}/`),
    ...adapters.map(({ id }) => `adapters/${id}/`),
  ];
}

interface Trained {
  readonly modelId: string;
  readonly datasetId: string;
  readonly runId: string;
  readonly adapterId: string;
  readonly files: File[];
}

async function trained(disk: Disk): Promise<Trained> {
  const gpu = new FailingGpu();
  const engine = startEngine(disk, { gpu });
  const modelId = await importSmallModel(engine);
  const datasetId = await importTokenRows(engine);
  const settings = smallRun(modelId, datasetId, { max_steps: 1 });
  const { id: runId, adapterId } = await engine.train(settings, silent());
  const request = { modelId, adapterId, format: 'peft' } as const;
  const { file } = await engine.exportModel(request, silent());
  gpu.loseDevice();
  const entries = readZip(new Uint8Array(await file.arrayBuffer()));
  const files = entries.map(
    ({ name, read }) => new File([read() as Uint8Array<ArrayBuffer>], name),
  );
  return { modelId, datasetId, runId, adapterId: adapterId!, files };
}

async function copyOf(disk: Disk): Promise<Disk> {
  const copy = new Disk();
  for (const { path } of await disk.files.list(''))
    await copy.files.writeFile(
      path,
      new Uint8Array(await (await disk.files.readFile(path)).arrayBuffer()),
    );
  for (const table of ['models', 'datasets', 'runs', 'adapters'] as const)
    await copy.tables.put(table, ...(await disk.tables.list(table)));
  return copy;
}

describe('freeing space', () => {
  it('finds what died while it came in, at any moment, and nothing that has a record', async () => {
    const before = new Disk();
    const { modelId, adapterId, files } = await trained(before);
    await startEngine(before).freeStorage(undefined, silent());
    const kept = await pathsOf(before);
    const arrivals: Readonly<Record<string, (engine: EngineApi) => Promise<unknown>>> = {
      'a model': importSmallModel,
      'an adapter': (engine) => engine.importAdapter({ files, name: 'one', modelId }, silent()),
      'a merged model': (engine) => engine.merge({ modelId, adapterId, name: 'merged' }, silent()),
    };
    for (const [what, arrive] of Object.entries(arrivals)) {
      const undisturbed = new Life();
      const all = await copyOf(before);
      await arrive(startEngine(all, { life: undisturbed }));
      const whole = await pathsOf(all);
      expect(whole.length, what).toBeGreaterThan(kept.length);
      let left = 0;
      for (let moment = 1; moment < undisturbed.moments; moment++) {
        const disk = await copyOf(before);
        await arrive(startEngine(disk, { life: new Life(moment) })).catch(() => undefined);
        const engine = startEngine(disk);
        const found = await pathsOf(disk);
        const recorded = await recordedFolders(disk);
        const expected = found.filter(
          (path) => kept.includes(path) || recorded.some((folder) => path.startsWith(folder)),
        );
        left += found.length - expected.length;
        const bytes = await engine.measureFreeable(undefined, silent());
        expect(await engine.freeStorage(undefined, silent())).toBe(bytes);
        expect(await pathsOf(disk), `${what}, killed at ${moment}`).toEqual(expected);
        expect(bytes > 0, `${what}, killed at ${moment}`).toBe(found.length > expected.length);
      }
      // Control: some of these deaths left something.
      expect(left, what).toBeGreaterThan(0);
    }
  });

  it('leaves alone what is coming in', async () => {
    const disk = new Disk();
    const engine = startEngine(disk);
    const freed: Promise<number>[] = [];
    const found: number[] = [];
    const importing = engine.importModel;
    engine.importModel = (input, call) =>
      importing(input, {
        ...call,
        progress: () =>
          void freed.push(
            disk.files.list('models').then(({ length }) => {
              found.push(length);
              return engine.freeStorage(undefined, silent());
            }),
          ),
      });
    await importSmallModel(engine);
    expect(Math.max(...found)).toBeGreaterThan(0);
    expect((await Promise.all(freed)).every((bytes) => bytes === 0)).toBe(true);
    expect(await pathsOf(disk)).toHaveLength(4);
  });

  it('leaves a download that broke off, to go on', async () => {
    const disk = new Disk();
    const engine = startEngine(disk);
    const { id } = (await engine.listModels(undefined, silent())).find(({ present }) => !present)!;
    await disk.files.writeFile(`models/${id}/model.safetensors.part`, new Uint8Array(5));
    await disk.files.writeFile('models/model-of-nobody/config.json', new Uint8Array(7));
    expect(await engine.freeStorage(undefined, silent())).toBe(7);
    expect(await pathsOf(disk)).toEqual([`models/${id}/model.safetensors.part`]);
  });

  it('finds a checkpoint half written or half removed, but not while a run is going on', async () => {
    const disk = new Disk();
    const { modelId, datasetId, runId } = await trained(disk);
    const engine = startEngine(disk);
    await engine.freeStorage(undefined, silent());
    const kept = await pathsOf(disk);
    const left = `runs/${runId}/checkpoint-7/optimizer.safetensors`;
    await disk.files.writeFile(left, new Uint8Array(5));

    const freed: Promise<number>[] = [];
    const another = smallRun(modelId, datasetId, { max_steps: 2 });
    const { id } = await engine.train(another, {
      ...silent(),
      progress: (event) => {
        if (event.kind === 'step' && event.step === 1)
          freed.push(engine.freeStorage(undefined, silent()));
      },
    });
    expect(await Promise.all(freed)).toEqual([0]);
    expect(await pathsOf(disk)).toContain(left);

    await engine.deleteRun({ runId: id }, silent());
    expect(await engine.measureFreeable(undefined, silent())).toBe(5);
    expect(await engine.freeStorage(undefined, silent())).toBe(5);
    expect(await pathsOf(disk)).toEqual(kept);
  });
});
