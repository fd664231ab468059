/**
 * The one model that is open: its weights on the GPU, where there is one, its session for talking, and
 * the adapters that have been loaded for it. On a graphics card the session reads the trainer's
 * weights. On a software adapter it has a copy of its own in main memory, from its first use until the
 * model is closed: the CPU backend decodes there about a hundred times as fast as WebGPU.
 */
import { startsFromWeights } from '../config';
import {
  countParameters,
  mergedSource,
  ModelWeights,
  nf4Source,
  type TensorSource,
} from '../decoder';
import { tensorToFloat32 } from '../formats';
import type { Gpu } from '../gpu';
import { InferenceError, TextSession } from '../inference';
import { hasWholeNf4Rows } from '../onnx-export';
import type { AdapterState, LoadedAdapter } from '../peft';
import type { Backend, LoadProgress, ModelSummary, OpenModel } from '../rpc/engine-api';
import { hostInputs } from './adapter-inputs';
import { EngineError } from './errors';
import {
  HeldSpeakers,
  type HeldSpeaker,
  type SpeakerUse,
  type SpeakerWork,
  type Voice,
} from './held-speakers';
import { chooseStorage, knownModel, type KnownModel } from './known-model';
import type { ModelFolder } from './model-folder';
import {
  holdLoaded,
  holdTrained,
  inputBytes,
  type GpuBase,
  type HeldInputs,
} from './open-model-inputs';

export interface OpenOptions {
  talksOn: Backend;
  /**
   * QLoRA's base: linear layers in NF4, read by trainer and session alike. On the processor, and where the rows
   * of a weight are no whole blocks, the session has a copy in float32 with the values of the 4 bits.
   */
  fourBit: boolean;
  signal: AbortSignal;
  progress: (update: LoadProgress) => void;
}

export type { Speaker, SpeakerUse, SpeakerWork, TalkUse } from './held-speakers';

/** An adapter to talk with. */
export interface AdapterVoice {
  readonly id: string;
  /** Asked for where it is not held. */
  readonly load: () => Promise<LoadedAdapter>;
}

/** What a run offers while it goes on. */
export interface InTraining {
  readonly adapter: AdapterState;
  /** A copy of the adapter as it is now. */
  readonly loaded: () => Promise<LoadedAdapter>;
}

export class LoadedModel implements KnownModel {
  private session: Promise<TextSession> | undefined;
  private readonly held = new HeldSpeakers();
  private closed = false;

  private constructor(
    readonly summary: ModelSummary,
    readonly folder: ModelFolder,
    readonly trainedDtype: KnownModel['trainedDtype'],
    private readonly gpu: Gpu | undefined,
    private readonly gpuWeights: ModelWeights | undefined,
    private readonly talksOn: Backend,
    readonly fourBit: boolean,
  ) {}

  static async open(
    summary: ModelSummary,
    folder: ModelFolder,
    gpu: Gpu | undefined,
    { fourBit, signal, progress, ...options }: OpenOptions,
  ): Promise<LoadedModel> {
    const talksOn = fourBit && !hasWholeNf4Rows(folder.config) ? 'wasm' : options.talksOn;
    const weights =
      gpu &&
      (await ModelWeights.upload(gpu.forOwner(), folder.config, folder.checkpoint.source, {
        storage: fourBit ? 'nf4' : chooseStorage(talksOn, countParameters(folder.config)),
        signal,
        onProgress: (doneBytes, totalBytes) => progress({ stage: 'upload', doneBytes, totalBytes }),
      }));
    const { trainedDtype } = knownModel(summary, folder, options.talksOn);
    return new LoadedModel(summary, folder, trainedDtype, gpu, weights, talksOn, fourBit);
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
      fourBit: this.fourBit,
      hasChatTemplate: this.folder.tokenizer.chatTemplate !== undefined,
      maxLength: this.folder.config.maxPositionEmbeddings,
      gpuBytes: this.gpuBytes,
    };
  }

  /** Runs `work` with the base model's voice; its session is made when it is first needed. */
  async speak<T>({ alone }: SpeakerUse, work: SpeakerWork<T>): Promise<T> {
    const talk = async () => work({ session: await this.talk() });
    return alone ? this.held.keepingNone(talk) : talk();
  }

  /**
   * Runs `work` with an adapter's voice, which is held until it ends. The last used stay held after it.
   * @throws GpuError `out-of-memory` where there is no room for it; AbortError
   */
  speakAs<T>({ id, load }: AdapterVoice, use: SpeakerUse, work: SpeakerWork<T>): Promise<T> {
    return this.held.use(id, async () => this.voiceOf(await load()), use, work);
  }

  /**
   * Runs `work` with the voice of what is being trained, with the values that it has at this moment; its memory is
   * given back at the end.
   * @throws GpuError `out-of-memory` where there is no room for it
   */
  async speakInTraining<T>(
    { adapter: state, loaded }: InTraining,
    work: SpeakerWork<T>,
  ): Promise<T> {
    const base = this.gpuBase;
    if (!base || !isCopiedOnTheGpu(state)) return this.speakBefore(await loaded(), work);
    const hold = () => this.talkWith(() => holdTrained(base, state));
    return this.held.useOnce(async () => ({ ...measureVoice(state), hold }), work);
  }

  /** Runs `work` with the voice of what is being trained, with the values of a copy. */
  speakBefore<T>(copy: LoadedAdapter, work: SpeakerWork<T>): Promise<T> {
    return this.held.useOnce(async () => this.voiceOf(copy), work);
  }

  /** Runs `work`, which needs the memory of adapters that nobody talks with. */
  keepingNone<T>(work: () => Promise<T>): Promise<T> {
    return this.held.keepingNone(work);
  }

  /** Who talks with it does so to the end; its memory goes then. */
  forgetAdapter(id: string): Promise<void> {
    return this.held.forget(id);
  }

  /** A running answer is waited for; what is asked after it is refused. */
  async close(): Promise<void> {
    this.closed = true;
    const session = await this.session?.catch(() => undefined);
    await session?.dispose();
    await this.held.close();
    this.gpuWeights?.dispose();
  }

  private talk(): Promise<TextSession> {
    if (this.closed) throw new InferenceError('disposed', 'The model was closed; open it again.');
    this.session ??= this.createSession();
    this.session.catch(() => (this.session = undefined));
    return this.session;
  }

  private voiceOf(adapter: LoadedAdapter): Voice {
    const measured = measureVoice(adapter);
    // Its tensors take the place of the base's, which a graph in 4 bits has no place for.
    const talksAlone = measured.isWhole && (this.talksOn === 'wasm' || this.fourBit);
    const hold = talksAlone
      ? () => this.holdSession(adapter)
      : () => this.talkWith(() => this.inputsOf(adapter));
    return { ...measured, hold };
  }

  private async talkWith(holdInputs: () => Promise<HeldInputs>): Promise<HeldSpeaker> {
    const session = await this.talk();
    const { inputs, giveBack } = await holdInputs();
    return { speaker: { session, adapter: inputs }, giveBack };
  }

  /** A fully tuned model on the CPU has a session of its own, with all of its weights. */
  private async holdSession(adapter: LoadedAdapter): Promise<HeldSpeaker> {
    const source = mergedSource(this.source, adapter);
    const session = await TextSession.create({ ...this.shared, host: hostOf(source) });
    return { speaker: { session }, giveBack: () => session.dispose() };
  }

  private async inputsOf(adapter: LoadedAdapter): Promise<HeldInputs> {
    const base = this.gpuBase;
    // A prefix goes into the cache from main memory on either backend.
    if (base && adapter.config.peft_type !== 'PREFIX_TUNING') return holdLoaded(base, adapter);
    return { inputs: await hostInputs(this.folder.config, adapter, floatSource(this.source)) };
  }

  /** Undefined where the processor talks. */
  private get gpuBase(): GpuBase | undefined {
    const { gpu, gpuWeights: weights, talksOn } = this;
    if (!gpu || !weights || talksOn === 'wasm') return undefined;
    return { gpu, config: this.folder.config, weights };
  }

  /** The weights as they are trained on and talked to; what is taken away is made of the file's own. */
  private get source(): TensorSource {
    const { source } = this.folder.checkpoint;
    return this.fourBit ? nf4Source(source, this.folder.config) : source;
  }

  private get shared() {
    const { config, rawConfig, generationConfig, tokenizer } = this.folder;
    return { config, rawConfig, generationConfig, tokenizer };
  }

  private createSession(): Promise<TextSession> {
    const base = this.gpuBase;
    if (base)
      return TextSession.create({
        ...this.shared,
        gpu: { device: base.gpu.forOwner(), weights: base.weights.tensors },
      });
    return TextSession.create({ ...this.shared, host: hostOf(this.source) });
  }
}

/** A session has a prefix in main memory; PiSSA's and OLoRA's factors are an adapter only together with where they began. */
const isCopiedOnTheGpu = ({ config }: AdapterState): boolean =>
  config.peft_type !== 'PREFIX_TUNING' &&
  !(config.peft_type === 'LORA' && startsFromWeights(config));

const measureVoice = (adapter: Pick<LoadedAdapter, 'config' | 'layout'>) => ({
  sizeBytes: inputBytes(adapter),
  isWhole: adapter.config.peft_type === 'FULL',
});

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
