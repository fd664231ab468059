/**
 * The one model that is open: its weights on the GPU, where there is one, its session for talking, and
 * the adapters that have been loaded for it. On a graphics card the session reads the trainer's
 * weights. On a software adapter it has a copy of its own in main memory, from its first use until the
 * model is closed: the CPU backend decodes there about a hundred times as fast as WebGPU.
 */
import { countParameters, ModelWeights, type TensorSource, type WeightStorage } from '../decoder';
import { tensorToFloat32 } from '../formats';
import type { Gpu } from '../gpu';
import { TextSession, type AdapterInputs } from '../inference';
import { LoraState, type LoadedAdapter } from '../peft';
import type { Backend, LoadProgress, ModelSummary, OpenModel } from '../rpc/engine-api';
import { gpuInputs, hostInputs } from './adapter-inputs';
import { EngineError } from './errors';
import type { ModelFolder } from './model-folder';

/** `auto`: WebGPU on a graphics card, the processor without one. */
export type TalkOn = 'auto' | Backend;

export function chooseTalkBackend(gpu: Gpu | undefined, talkOn: TalkOn): Backend {
  if (!gpu) return 'wasm';
  if (talkOn !== 'auto') return talkOn;
  return gpu.isSoftware ? 'wasm' : 'webgpu';
}

/** Weights in float32 up to this size train 1.4 times as fast on Chromium's software adapter. */
const FLOAT_WEIGHTS_BYTES = 256 * 1024 ** 2;

/**
 * ONNX Runtime on WebGPU reads float32. Where the trainer alone reads the weights, those of large models
 * stay in the 16 bits of their file: there memory ends a run before patience does.
 */
export function chooseStorage(talksOn: Backend, parameterCount: number): WeightStorage {
  return talksOn === 'wasm' && 4 * parameterCount > FLOAT_WEIGHTS_BYTES ? 'stored' : 'f32';
}

export interface OpenOptions {
  talksOn: Backend;
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
    private readonly talksOn: Backend,
  ) {}

  static async open(
    summary: ModelSummary,
    folder: ModelFolder,
    gpu: Gpu | undefined,
    { talksOn, signal, progress }: OpenOptions,
  ): Promise<LoadedModel> {
    const weights =
      gpu &&
      (await ModelWeights.upload(gpu, folder.config, folder.checkpoint.source, {
        storage: chooseStorage(talksOn, countParameters(folder.config)),
        signal,
        onProgress: (doneBytes, totalBytes) => progress({ stage: 'upload', doneBytes, totalBytes }),
      }));
    return new LoadedModel(summary, folder, gpu, weights, talksOn);
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
      talksOn: this.talksOn,
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
    const entry =
      this.gpu && this.talksOn === 'webgpu'
        ? this.onGpu(this.gpu, loaded)
        : { inputs: hostInputs(loaded) };
    this.adapters.set(id, entry);
    return entry.inputs;
  }

  /** Inputs for the session with the values that an adapter under training has at this moment. */
  async inputsOfTraining(state: LoraState): Promise<AdapterInputs> {
    if (this.talksOn === 'webgpu') return gpuInputs(state);
    const { layout, config } = state;
    return hostInputs({ layout, config, values: await state.readParameters() });
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
    return { inputs: gpuInputs(state), state };
  }

  private createSession(): Promise<TextSession> {
    const { config, rawConfig, generationConfig, tokenizer, checkpoint } = this.folder;
    const shared = { config, rawConfig, generationConfig, tokenizer };
    if (this.gpu && this.gpuWeights && this.talksOn === 'webgpu')
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
