/** Taking work away: merged models that stay here, and zip files of adapters and model folders. */
import { parameterShapes, mergedSource, WEIGHTS_FILE, writeCheckpointWeights } from '../decoder';
import { writeZip, type ZipInput } from '../formats';
import { exportFolder } from '../onnx-export';
import { ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE, withBaseModel } from '../peft';
import type { CallContext } from '../rpc/protocol';
import type { CountProgress, ExportedFile, ExportRequest, ModelSummary } from '../rpc/engine-api';
import { TRAINER_STATE_FILE } from '../training';
import { whileArriving } from './arrivals';
import type { AdapterLibrary } from './adapter-library';
import { baseForAdapter } from './base-model';
import { newId, type EngineContext } from './context';
import { EngineError } from './errors';
import { MODEL_CARD_FILE, writeModelCard } from './model-card';
import type { ModelFolder } from './model-folder';
import { folderOf, type ModelLibrary } from './model-library';
import { floatSource, type LoadedModel } from './open-model';
import type { RunLibrary } from './run-library';
import { WeightsHash } from './weights-hash';

/** Exports lie here until the next one is made. */
export const EXPORTS = 'exports';

export interface ExportParts {
  readonly context: EngineContext;
  readonly models: ModelLibrary;
  readonly adapters: AdapterLibrary;
  readonly runs: RunLibrary;
  readonly open: (modelId: string, context: Pick<CallContext, 'signal'>) => Promise<LoadedModel>;
}

export interface MergeRequest {
  modelId: string;
  adapterId: string;
  name: string;
}

export class ExportService {
  constructor(private readonly parts: ExportParts) {}

  async merge(request: MergeRequest, context: CallContext<CountProgress>): Promise<ModelSummary> {
    const model = await this.parts.open(request.modelId, context);
    const id = newId('model');
    return whileArriving(folderOf(id), () => this.keepMerged(id, model, request, context));
  }

  private async keepMerged(
    id: string,
    model: LoadedModel,
    { adapterId, name }: MergeRequest,
    context: CallContext<CountProgress>,
  ): Promise<ModelSummary> {
    const { models } = this.parts;
    const { files } = this.parts.context;
    try {
      let sizeBytes = 0;
      const weights = new WeightsHash();
      for await (const { name: fileName, data } of this.safetensors(model, adapterId, context)) {
        const hashed = weights.over(fileName, data as AsyncIterable<Uint8Array>);
        await files.writeFile(`${folderOf(id)}/${fileName}`, hashed);
        sizeBytes += (await files.readFile(`${folderOf(id)}/${fileName}`)).size;
      }
      const { architecture, parameterCount, licence, languages } = model.summary;
      return await models.add({
        id,
        name,
        origin: 'merged',
        present: true,
        architecture,
        parameterCount,
        sizeBytes,
        licence,
        languages,
        weightsHash: weights.digest(),
      });
    } catch (error) {
      await files.remove(folderOf(id));
      throw error;
    }
  }

  async export(request: ExportRequest, context: CallContext<CountProgress>): Promise<ExportedFile> {
    const { files } = this.parts.context;
    const model = await this.parts.open(request.modelId, context);
    const fileName = `${await this.baseName(request, model)}-${request.format}.zip`;
    await files.remove(EXPORTS);
    const path = `${EXPORTS}/${fileName}`;
    await files.writeFile(path, readStream(writeZip(this.inputs(request, model, context))));
    return { fileName, file: await files.readFile(path) };
  }

  private inputs(
    request: ExportRequest,
    model: LoadedModel,
    context: CallContext<CountProgress>,
  ): AsyncIterable<ZipInput> {
    const { adapterId, format } = request;
    if (format === 'onnx') return this.onnx(model, adapterId, context);
    if (format === 'safetensors') return this.safetensors(model, adapterId, context);
    if (!adapterId)
      throw new EngineError('bad-files', 'A PEFT export needs an adapter; choose one.');
    return this.peft(model, adapterId);
  }

  private async *peft({ summary }: LoadedModel, adapterId: string): AsyncGenerator<ZipInput> {
    const { adapters, runs } = this.parts;
    const adapter = await adapters.getOf(summary.id, adapterId);
    const { configJson, weights } = await adapters.files(adapter.id);
    const run = adapter.runId === undefined ? undefined : await runs.find(adapter.runId);
    const base = baseForAdapter({ adapter, run, model: summary, configJson });
    const encode = (text: string) => new TextEncoder().encode(text);
    const config = base ? withBaseModel(configJson, base) : configJson;
    yield { name: ADAPTER_CONFIG_FILE, data: encode(config) };
    yield { name: ADAPTER_WEIGHTS_FILE, data: weights };
    // As the Trainer's checkpoint folder has it.
    const state = await adapters.trainerState(adapter);
    if (state !== undefined) yield { name: TRAINER_STATE_FILE, data: encode(state) };
    const card = writeModelCard({ adapter, run, model: summary, configJson: config });
    yield { name: MODEL_CARD_FILE, data: encode(card) };
  }

  private async *safetensors(
    model: LoadedModel,
    adapterId: string | undefined,
    context: CallContext<CountProgress>,
  ): AsyncGenerator<ZipInput> {
    const { folder } = model;
    for (const [name, data] of companionsOf(folder)) yield { name, data: once(data) };
    const source = counted(await this.sourceOf(model, adapterId), folder, context);
    yield { name: WEIGHTS_FILE, data: writeCheckpointWeights(folder.config, source) };
  }

  private async *onnx(
    model: LoadedModel,
    adapterId: string | undefined,
    context: CallContext<CountProgress>,
  ): AsyncGenerator<ZipInput> {
    const { folder } = model;
    const source = counted(await this.sourceOf(model, adapterId), folder, context);
    const parts = exportFolder({
      config: folder.config,
      rawConfig: folder.rawConfig,
      source: floatSource(source),
      files: folder.companions,
      signal: context.signal,
    });
    for await (const { name, bytes } of parts) yield { name, data: bytes };
  }

  private async sourceOf({ summary, folder }: LoadedModel, adapterId: string | undefined) {
    const { source } = folder.checkpoint;
    if (adapterId === undefined) return source;
    const { adapters } = this.parts;
    return mergedSource(source, await adapters.load(adapterId, summary.id, folder.config));
  }

  private async baseName({ adapterId }: ExportRequest, { summary }: LoadedModel): Promise<string> {
    const adapter = adapterId ? await this.parts.adapters.get(adapterId) : undefined;
    const { name, step } = { step: undefined, ...(adapter ?? summary) };
    return (
      `${name}${step === undefined ? '' : `-step-${step}`}`
        .replace(/[^\p{L}\p{N}._-]+/gu, '-')
        .slice(0, 60) || 'export'
    );
  }
}

function companionsOf({ rawConfig, companions }: ModelFolder): [string, Uint8Array][] {
  const config = new TextEncoder().encode(`${JSON.stringify(rawConfig, undefined, 2)}\n`);
  return [['config.json', config], ...companions];
}

/** Reports each tensor that passes and stops at the signal. */
function counted(
  source: ReturnType<typeof mergedSource>,
  { config }: ModelFolder,
  { signal, progress }: CallContext<CountProgress>,
): typeof source {
  const total = parameterShapes(config).length;
  const seen = new Set<string>();
  return (name) => {
    signal.throwIfAborted();
    seen.add(name);
    progress({ done: seen.size, total });
    return source(name);
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function* readStream(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}
