/**
 * The one model that is open: its weights on the GPU (or, without WebGPU, in the runtime's memory),
 * its session for talking, and the adapters that have been loaded for it.
 */
import { loraScale, type LoraConfig } from '../config';
import { ModelWeights, type TensorSource } from '../decoder';
import { tensorToFloat32 } from '../formats';
import type { Gpu, Tensor } from '../gpu';
import { TextSession, type AdapterInputs, type HostTensor } from '../inference';
import { LoraState, type LoadedAdapter, type LoraParameter } from '../peft';
import type { LoadProgress, ModelSummary, OpenModel } from '../rpc/engine-api';
import { EngineError } from './errors';
import type { ModelFolder } from './model-folder';

export interface OpenOptions {
  signal: AbortSignal;
  progress: (update: LoadProgress) => void;
}

export class LoadedModel {
  private session: Promise<TextSession> | undefined;
  private readonly adapters = new Map<string, { inputs: AdapterInputs; state?: LoraState }>();

  private constructor(
    readonly summary: ModelSummary,
    readonly folder: ModelFolder,
    private readonly gpu: Gpu | undefined,
    private readonly gpuWeights: ModelWeights | undefined,
  ) {}

  static async open(
    summary: ModelSummary,
    folder: ModelFolder,
    gpu: Gpu | undefined,
    { signal, progress }: OpenOptions,
  ): Promise<LoadedModel> {
    const weights =
      gpu &&
      (await ModelWeights.upload(gpu, folder.config, folder.checkpoint.source, {
        signal,
        onProgress: (doneBytes, totalBytes) => progress({ stage: 'upload', doneBytes, totalBytes }),
      }));
    return new LoadedModel(summary, folder, gpu, weights);
  }

  /** @throws EngineError `no-training` without WebGPU */
  get weights(): ModelWeights {
    if (!this.gpuWeights)
      throw new EngineError('no-training', 'Training needs WebGPU, which is not available here.');
    return this.gpuWeights;
  }

  get gpuBytes(): number {
    return this.gpuWeights?.gpuBytes ?? 0;
  }

  get view(): OpenModel {
    return {
      ...this.summary,
      backend: this.gpu ? 'webgpu' : 'wasm',
      hasChatTemplate: this.folder.tokenizer.chatTemplate !== undefined,
      maxLength: this.folder.config.maxPositionEmbeddings,
      gpuBytes: this.gpuBytes,
    };
  }

  /** The session for talking, made when it is first needed. */
  talk(): Promise<TextSession> {
    this.session ??= this.createSession();
    this.session.catch(() => (this.session = undefined));
    return this.session;
  }

  /** Inputs for the session; loaded once and kept until the model is closed or the adapter forgotten. */
  adapterInputs(id: string, loaded: LoadedAdapter): AdapterInputs {
    const known = this.adapters.get(id);
    if (known) return known.inputs;
    const entry = this.gpu ? this.onGpu(this.gpu, loaded) : { inputs: hostInputs(loaded) };
    this.adapters.set(id, entry);
    return entry.inputs;
  }

  hasAdapter(id: string): boolean {
    return this.adapters.has(id);
  }

  forgetAdapter(id: string): void {
    this.adapters.get(id)?.state?.dispose();
    this.adapters.delete(id);
  }

  async close(): Promise<void> {
    const session = await this.session?.catch(() => undefined);
    await session?.dispose();
    for (const id of [...this.adapters.keys()]) this.forgetAdapter(id);
    this.gpuWeights?.dispose();
  }

  private onGpu(gpu: Gpu, { layout, config, values }: LoadedAdapter) {
    const state = new LoraState(gpu, layout, config, values, { trainable: false });
    return { inputs: inputsOfState(state), state };
  }

  private createSession(): Promise<TextSession> {
    const { config, rawConfig, generationConfig, tokenizer, checkpoint } = this.folder;
    const shared = { config, rawConfig, generationConfig, tokenizer };
    if (this.gpu && this.gpuWeights)
      return TextSession.create({
        ...shared,
        gpu: { device: this.gpu, weights: this.gpuWeights.tensors },
      });
    return TextSession.create({ ...shared, host: { weights: floatSource(checkpoint.source) } });
  }
}

/** Weights as floats, by name. */
export function floatSource(source: TensorSource): (name: string) => Promise<Float32Array> {
  return async (name) => {
    const stored = await source(name);
    if (!stored)
      throw new EngineError('bad-files', `The model has no tensor ${name}.`, {
        details: { found: name },
      });
    return tensorToFloat32(stored.bytes, stored.dtype);
  };
}

/** An adapter on the GPU as the session reads it, with the values that it has at this moment. */
export function inputsOfState(state: LoraState): AdapterInputs {
  return toInputs<Tensor>(state.config, state.layout.parameters, state.ownTensors());
}

function hostInputs({ layout, config, values }: LoadedAdapter): AdapterInputs {
  const tensors = new Map<string, HostTensor>(
    layout.parameters.map(({ key, shape, offset, count }) => [
      key,
      { shape, data: values.slice(offset, offset + count) },
    ]),
  );
  return toInputs<HostTensor>(config, layout.parameters, tensors);
}

function toInputs<T extends Tensor | HostTensor>(
  config: LoraConfig,
  parameters: readonly LoraParameter[],
  byKey: ReadonlyMap<string, T>,
): AdapterInputs {
  const factors = new Map<string, T>();
  const biases = new Map<string, T>();
  for (const { key, kind, path } of parameters) {
    const tensor = byKey.get(key)!;
    if (kind === 'bias') biases.set(`${path}.bias`, tensor);
    else factors.set(key, tensor);
  }
  return { targets: config.target_modules, tensors: factors, scale: loraScale(config), biases };
}
