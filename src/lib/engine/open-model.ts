/**
 * The one model that is open: its weights on the GPU, where there is one, its session for talking, and
 * the adapters that have been loaded for it. On a graphics card the session reads the trainer's
 * weights. On a software adapter it has a copy of its own in main memory, from its first use until the
 * model is closed: the CPU backend decodes there about a hundred times as fast as WebGPU.
 */
import { startsFromWeights } from '../config';
import { mergedSource, ModelWeights, type TensorSource } from '../decoder';
import { tensorToFloat32 } from '../formats';
import type { Gpu } from '../gpu';
import { TextSession, type AdapterInputs } from '../inference';
import { AdapterState, type LoadedAdapter } from '../peft';
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

export interface OpenOptions {
  talksOn: Backend;
  signal: AbortSignal;
  progress: (update: LoadProgress) => void;
}

/** Who answers: a session, and the adapter that it is given. */
export interface Speaker {
  readonly session: TextSession;
  readonly adapter?: AdapterInputs;
}

/** What a run offers while it goes on. */
export interface InTraining {
  readonly adapter: AdapterState;
  /** A copy of the adapter as it is now. */
  readonly loaded: () => Promise<LoadedAdapter>;
}

interface LoadedInputs {
  readonly inputs: AdapterInputs;
  readonly state?: AdapterState;
}

/** Id of the adapter that is being trained. */
const IN_TRAINING = 'in-training';

export class LoadedModel {
  private session: Promise<TextSession> | undefined;
  private readonly adapters = new Map<string, LoadedInputs>();
  private tuned: { id: string; session: Promise<TextSession> } | undefined;

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
        // ONNX Runtime reads float32; without it, the trainer alone reads what the file stores.
        storage: talksOn === 'webgpu' ? 'f32' : 'stored',
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

  /** The base model's voice; its session is made when it is first needed. */
  async speaker(): Promise<Speaker> {
    return { session: await this.talk() };
  }

  /** Loaded once and kept until the model is closed or the adapter forgotten. */
  async speakerOf(id: string, adapter: LoadedAdapter): Promise<Speaker> {
    if (adapter.config.peft_type === 'FULL' && this.talksOn === 'wasm')
      return { session: await this.talkAs(id, adapter) };
    let entry = this.adapters.get(id);
    if (!entry) {
      entry = await this.inputsOf(adapter);
      this.adapters.set(id, entry);
    }
    return { session: await this.talk(), adapter: entry.inputs };
  }

  /** The voice of what is being trained, with the values that it has at this moment. */
  async speakerInTraining({ adapter: state, loaded }: InTraining): Promise<Speaker> {
    const { gpu, gpuWeights, talksOn } = this;
    const isDirect = state.config.peft_type === 'LORA' && !startsFromWeights(state.config);
    if (gpu && gpuWeights && talksOn === 'webgpu' && isDirect)
      return {
        session: await this.talk(),
        adapter: await gpuInputs(gpu, this.folder.config, gpuWeights, state),
      };
    await this.forgetAdapter(IN_TRAINING);
    return this.speakerOf(IN_TRAINING, await loaded());
  }

  hasAdapter(id: string): boolean {
    return this.adapters.has(id);
  }

  async forgetAdapter(id: string): Promise<void> {
    this.adapters.get(id)?.state?.dispose();
    this.adapters.delete(id);
    if (this.tuned?.id !== id) return;
    const { session } = this.tuned;
    this.tuned = undefined;
    await (await session.catch(() => undefined))?.dispose();
  }

  async close(): Promise<void> {
    const session = await this.session?.catch(() => undefined);
    await session?.dispose();
    for (const id of this.adapters.keys()) await this.forgetAdapter(id);
    if (this.tuned) await this.forgetAdapter(this.tuned.id);
    this.gpuWeights?.dispose();
  }

  private talk(): Promise<TextSession> {
    this.session ??= this.createSession();
    this.session.catch(() => (this.session = undefined));
    return this.session;
  }

  /** A fully tuned model on the CPU: a session of its own, one at a time, as it holds all weights. */
  private async talkAs(id: string, adapter: LoadedAdapter): Promise<TextSession> {
    if (this.tuned && this.tuned.id !== id) await this.forgetAdapter(this.tuned.id);
    const source = mergedSource(this.folder.checkpoint.source, adapter);
    this.tuned ??= { id, session: TextSession.create({ ...this.shared, host: hostOf(source) }) };
    const { session } = this.tuned;
    session.catch(() => (this.tuned = undefined));
    return session;
  }

  private async inputsOf(adapter: LoadedAdapter): Promise<LoadedInputs> {
    const { gpu, gpuWeights, talksOn } = this;
    const { config, checkpoint } = this.folder;
    if (!gpu || !gpuWeights || talksOn === 'wasm')
      return { inputs: await hostInputs(config, adapter, floatSource(checkpoint.source)) };
    const { layout, values } = adapter;
    const state = new AdapterState(gpu, layout, adapter.config, values, { trainable: false });
    try {
      return { inputs: await gpuInputs(gpu, config, gpuWeights, state), state };
    } catch (error) {
      state.dispose();
      throw error;
    }
  }

  private get shared() {
    const { config, rawConfig, generationConfig, tokenizer } = this.folder;
    return { config, rawConfig, generationConfig, tokenizer };
  }

  private createSession(): Promise<TextSession> {
    if (this.gpu && this.gpuWeights && this.talksOn === 'webgpu')
      return TextSession.create({
        ...this.shared,
        gpu: { device: this.gpu, weights: this.gpuWeights.tensors },
      });
    return TextSession.create({ ...this.shared, host: hostOf(this.folder.checkpoint.source) });
  }
}

const hostOf = (source: TensorSource) => ({ weights: floatSource(source) });

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
