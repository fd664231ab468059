/** A device with one of everything that a person can make, small; and what lies on a device, for comparing. */
import type { EngineApi, EvaluationReport, RunSummary } from '$lib/rpc/engine-api';
import type { TrainRequest } from '$lib/rpc/engine-api';
import { startEngine } from './engines';
import { FailingGpu } from './failing-gpu';
import type { Disk } from './mortal-storage';
import { importSmallModel, importTokenRows, silent, smallRun } from './small-model';

export interface FullStore {
  readonly modelId: string;
  readonly datasetId: string;
  readonly request: TrainRequest;
  readonly finished: RunSummary;
  /** Stopped after four steps, to be gone on with. */
  readonly stopped: RunSummary;
}

const TRAINING = { save_strategy: 'steps', save_steps: 2, save_total_limit: null } as const;

/** Two models, two data sets, two runs with checkpoints, two adapters on their own, a report. */
export async function fillStore(disk: Disk): Promise<FullStore> {
  const gpu = new FailingGpu();
  const engine = startEngine(disk, { gpu });
  const modelId = await importSmallModel(engine);
  const datasetId = await importTokenRows(engine);
  await engine.importDataset({ file: alpacaFile() }, silent());
  const request = smallRun(modelId, datasetId, TRAINING);
  const finished = await engine.train({ ...request, name: 'finished' }, silent());
  const outlived = await engine.train({ ...request, name: 'outlived' }, silent());
  await engine.deleteRun({ runId: outlived.id, keepAdapter: true }, silent());
  const stopped = await stopAt(engine, { ...request, name: 'stopped' }, 4);
  const adapterId = finished.adapterId!;
  await engine.merge({ modelId, adapterId, name: 'merged' }, silent());
  const { file } = await engine.exportModel({ modelId, adapterId, format: 'peft' }, silent());
  const taken = new File([await file.arrayBuffer()], 'adapter.zip');
  await engine.importAdapter({ files: [taken], modelId, name: 'from elsewhere' }, silent());
  await disk.tables.put('evaluations', {
    ...reportOf(finished, datasetId, adapterId),
    schemaVersion: 1,
  });
  gpu.loseDevice();
  return { modelId, datasetId, request, finished, stopped };
}

export function stopAt(engine: EngineApi, request: TrainRequest, step: number) {
  return engine.train(request, {
    ...silent(),
    progress: (event) => {
      if (event.kind === 'step' && event.step === step)
        void engine.stopTraining({ keep: true }, silent());
    },
  });
}

const alpacaFile = () =>
  new File(
    [JSON.stringify([1, 2, 3].map((n) => ({ instruction: `问题${n}`, output: `答案 ${n}\n😀` })))],
    '问答.json',
  );

const reportOf = (run: RunSummary, datasetId: string, adapterId: string): EvaluationReport => ({
  id: `evaluation-${crypto.randomUUID()}`,
  createdAt: 1_700_000_000_000,
  modelId: run.modelId,
  datasetId,
  heldBackOf: { runId: run.id, name: run.name },
  scores: [undefined, adapterId].map((id) => ({
    ...(id !== undefined && { adapterId: id, adapterName: 'finished', adapterStep: 9 }),
    ...(id !== undefined && { learnedRows: 1 }),
    accuracy: id ? 0.5 : 0,
    rougeL: 0.25,
    tokensPerSecond: NaN,
    gpuBytes: 12,
    count: 1,
  })),
  rows: [{ instruction: 'a', input: '', reference: 'b', answers: ['c', 'b'] }],
});

/** All that a page can list. */
export async function listAll(disk: Disk) {
  const engine = startEngine(disk);
  const byId = <Item extends { id: string }>(items: readonly Item[]) =>
    [...items].sort((a, b) => (a.id < b.id ? -1 : 1));
  const models = await engine.listModels(undefined, silent());
  return {
    models: byId(models.filter(({ origin }) => origin === 'imported' || origin === 'merged')),
    datasets: byId(await disk.tables.list('datasets')),
    runs: byId(await engine.listRuns(undefined, silent())),
    adapters: byId(await engine.listAdapters(undefined, silent())),
    evaluations: byId(await engine.listEvaluations(undefined, silent())),
  };
}

/** Every byte on the disk but exports, and every record and row. */
export async function snapshot(disk: Disk): Promise<string[]> {
  const lines: string[] = [];
  for (const { path } of await disk.files.list('')) {
    if (path.startsWith('exports/')) continue;
    const bytes = Buffer.from(await (await disk.files.readFile(path)).arrayBuffer());
    lines.push(`${path} ${bytes.toString('base64')}`);
  }
  for (const table of ['models', 'datasets', 'runs', 'adapters', 'evaluations'] as const)
    for (const record of await disk.tables.list(table)) {
      lines.push(`${table} ${JSON.stringify(record)}`);
      if (table === 'datasets')
        lines.push(JSON.stringify(await disk.tables.readRows(record.id, 0, 1e6)));
    }
  return lines;
}

export async function exportAll(disk: Disk, page: Record<string, unknown> = {}): Promise<File> {
  const { file } = await startEngine(disk).exportEverything({ page }, silent());
  // A copy: the store gives the next export the same place.
  return new File([await file.arrayBuffer()], file.name);
}

export const importAll = (disk: Disk, file: File) =>
  startEngine(disk).importEverything({ file }, silent());
