/**
 * Adapters on this device, in PEFT's files. Those of runs are read where the checkpoints lie; only what
 * was imported, or outlives its run, has a record of its own.
 */
import { adaptedModel } from '../decoder';
import type { ModelConfig } from '../config';
import {
  ADAPTER_CONFIG_FILE,
  ADAPTER_WEIGHTS_FILE,
  readAdapter,
  type AdapterFiles,
  type LoadedAdapter,
} from '../peft';
import type { AdapterSummary, CheckpointSummary, RunSummary } from '../rpc/engine-api';
import { keptConfig } from '../training';
import { whileArriving } from './arrivals';
import { finalCheckpoint, runPointOf } from './adapter-id';
import { checkpointFolder, readAdapterFiles } from './checkpoint-store';
import { newId, type EngineContext } from './context';
import { EngineError, notFound } from './errors';
import { DroppedFolder } from './model-folder';
import { unpackDropped } from './model-library';
import type { RunLibrary } from './run-library';

interface AdapterRecord extends AdapterSummary {
  schemaVersion: 1;
}

export class AdapterLibrary {
  constructor(
    private readonly context: EngineContext,
    private readonly runs: RunLibrary,
  ) {}

  /** Newest first. */
  async list(): Promise<AdapterSummary[]> {
    const trained = await this.trained();
    const own = await this.recorded(trained);
    return [...trained, ...own].sort((a, b) => b.createdAt - a.createdAt);
  }

  /** @param id of an adapter, or `adapter-X` for the newest one of `run-X` */
  async get(id: string): Promise<AdapterSummary> {
    const { runId, step } = runPointOf(id);
    const run = await this.runs.find(runId);
    const checkpoint =
      step === undefined
        ? run && finalCheckpoint(run)
        : run?.checkpoints.find((candidate) => candidate.step === step);
    if (run && checkpoint) return toAdapter(run, checkpoint);
    const record = await this.context.tables.get<AdapterRecord>('adapters', id);
    if (!record) throw notFound('adapter', id);
    return toSummary(record);
  }

  /** @throws PeftError `wrong-model` when it does not fit the model */
  async load(id: string, modelId: string, config: ModelConfig): Promise<LoadedAdapter> {
    const summary = await this.getOf(modelId, id);
    return readAdapter(await this.read(summary), adaptedModel(config));
  }

  /** @throws EngineError `wrong-model` where it is another model's */
  async getOf(modelId: string, id: string): Promise<AdapterSummary> {
    const summary = await this.get(id);
    if (summary.modelId !== modelId)
      throw new EngineError(
        'wrong-model',
        `${summary.name} belongs to ${summary.modelId}, ${modelId} is open. Open its own model first.`,
        { details: { found: summary.modelId, allowed: modelId } },
      );
    return summary;
  }

  async files(id: string): Promise<AdapterFiles> {
    return this.read(await this.get(id));
  }

  /** What the Trainer had written down when it saved this; undefined for one that no run here made. */
  async trainerState({ runId, step }: AdapterSummary): Promise<string | undefined> {
    if (runId === undefined || step === undefined) return undefined;
    return this.runs.checkpoints.readState(runId, step);
  }

  /** @throws EngineError `bad-files`; PeftError; ConfigError; FormatError */
  async import(
    files: readonly File[],
    name: string,
    modelId: string,
    config: ModelConfig,
  ): Promise<AdapterSummary> {
    const folder = new DroppedFolder(await unpackDropped(files));
    const present = await folder.list();
    const missing = [ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE].filter(
      (file) => !present.includes(file),
    );
    if (missing.length > 0)
      throw new EngineError(
        'bad-files',
        `An adapter needs ${ADAPTER_CONFIG_FILE} and ${ADAPTER_WEIGHTS_FILE}; missing: ${missing.join(', ')}.`,
        { details: { found: present.slice(0, 8).join(', ') } },
      );
    const bytes = async (file: string) => folder.readRange(file, 0, await folder.sizeBytes(file));
    const adapter: AdapterFiles = {
      configJson: new TextDecoder().decode(await bytes(ADAPTER_CONFIG_FILE)),
      weights: await bytes(ADAPTER_WEIGHTS_FILE),
    };
    const loaded = readAdapter(adapter, adaptedModel(config));
    const summary: AdapterSummary = {
      id: newId('adapter'),
      name,
      modelId,
      origin: 'imported',
      peft: loaded.config,
      sizeBytes: adapter.weights.byteLength,
      createdAt: Date.now(),
    };
    await this.save(summary, adapter);
    return summary;
  }

  /** Lets the newest adapter of a run outlive it: the run may be deleted afterwards, but for this step. */
  async keepNewest(runId: string): Promise<AdapterSummary | undefined> {
    const run = await this.runs.get(runId);
    const checkpoint = finalCheckpoint(run);
    if (!checkpoint) return undefined;
    const newest = toAdapter(run, checkpoint);
    await this.record(newest);
    return newest;
  }

  /** Of a run's adapter that is the checkpoint of its step. */
  async delete(id: string): Promise<void> {
    const { id: exactId, runId, step } = await this.get(id);
    await this.context.tables.remove('adapters', exactId);
    if (runId !== undefined && step !== undefined) await this.runs.checkpoints.remove(runId, step);
    else await this.context.files.remove(importedFolder(exactId));
  }

  private async save(summary: AdapterSummary, { configJson, weights }: AdapterFiles) {
    const folder = importedFolder(summary.id);
    const { files } = this.context;
    await whileArriving(folder, async () => {
      await files.writeFile(`${folder}/${ADAPTER_WEIGHTS_FILE}`, weights);
      const config = new TextEncoder().encode(configJson);
      await files.writeFile(`${folder}/${ADAPTER_CONFIG_FILE}`, config);
      await this.record(summary);
    });
  }

  private async record(summary: AdapterSummary): Promise<void> {
    await this.context.tables.put<AdapterRecord>('adapters', { ...summary, schemaVersion: 1 });
  }

  /** One for each checkpoint of each run, the newest of a run first. */
  private async trained(): Promise<AdapterSummary[]> {
    return (await this.runs.list()).flatMap((run) =>
      run.checkpoints.map((checkpoint) => toAdapter(run, checkpoint)).reverse(),
    );
  }

  /** Those with a record of their own: imported, or left of a deleted run. */
  private async recorded(trained: readonly AdapterSummary[]): Promise<AdapterSummary[]> {
    const records = await this.context.tables.list<AdapterRecord>('adapters');
    const ids = new Set(trained.map(({ id }) => id));
    const runIds = new Set(trained.map(({ runId }) => runId));
    const found: AdapterSummary[] = [];
    for (const record of records.map(toSummary)) {
      const { id, runId, step } = record;
      if (runId !== undefined && step !== undefined) {
        const outlives = !ids.has(id) && (await this.runs.checkpoints.has(runId, step));
        if (outlives) found.push(record);
      } else if (runId !== undefined && runIds.has(runId)) {
        // Older versions wrote the newest adapter of a run a second time.
        await this.dropCopy(id);
      } else found.push(record);
    }
    return found;
  }

  private read({ id, runId, step }: AdapterSummary): Promise<AdapterFiles> {
    const isOfRun = runId !== undefined && step !== undefined;
    const folder = isOfRun ? checkpointFolder(runId, step) : importedFolder(id);
    return readAdapterFiles(this.context.files, folder);
  }

  private async dropCopy(id: string): Promise<void> {
    await this.context.tables.remove('adapters', id);
    await this.context.files.remove(importedFolder(id));
  }
}

/** Imported ones, and those that older versions kept of deleted runs. */
export const importedFolder = (adapterId: string) => `adapters/${adapterId}`;

const toSummary = ({ schemaVersion: _version, ...summary }: AdapterRecord): AdapterSummary => ({
  ...summary,
  peft: keptConfig(summary.peft),
});

function toAdapter(run: RunSummary, checkpoint: CheckpointSummary) {
  const { step, adapterId, sizeBytes, resumeBytes, savedAt } = checkpoint;
  return {
    id: adapterId,
    name: run.name,
    modelId: run.modelId,
    origin: 'trained',
    peft: keptConfig(run.peft),
    load_in_4bit: run.training.load_in_4bit ?? false,
    sizeBytes: sizeBytes - resumeBytes,
    createdAt: savedAt,
    runId: run.id,
    step,
  } satisfies AdapterSummary;
}
