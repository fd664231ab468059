/**
 * What is known of a model without its weights: enough to measure rows, to count parameters, to tell memory and to compile.
 * A large model is read so from this device while another is open.
 */
import { countParameters, uploadedDtype, type WeightStorage } from '../decoder';
import type { DType, Gpu } from '../gpu';
import type { Backend, ModelSummary } from '../rpc/engine-api';
import type { ModelFolder } from './model-folder';
import type { ModelLibrary } from './model-library';

export interface KnownModel {
  readonly summary: ModelSummary;
  readonly folder: ModelFolder;
  /** How a tensor lies, or would lie, in GPU memory for a run whose base is not in 4 bits. */
  readonly trainedDtype: (name: string) => DType;
}

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

/** @param talksOn of a base that is not in 4 bits */
export function knownModel(
  summary: ModelSummary,
  folder: ModelFolder,
  talksOn: Backend,
): KnownModel {
  const storage = chooseStorage(talksOn, countParameters(folder.config));
  const { dtypeOf } = folder.checkpoint;
  const trainedDtype = (name: string) => uploadedDtype(dtypeOf(name) ?? 'F32', storage);
  return { summary, folder, trainedDtype };
}

/** Reads models that are not open; keeps the last one, because every change of a form asks about it again. */
export class UnopenedModels {
  private last: { key: string; folder: Promise<ModelFolder> } | undefined;

  constructor(private readonly models: ModelLibrary) {}

  /** The model is opened, or gone: its folder is read anew where it is asked for again. */
  forget(): void {
    this.last = undefined;
  }

  /** @throws EngineError `evicted`; FormatError and others naming the file */
  folder(model: ModelSummary): Promise<ModelFolder> {
    const key = JSON.stringify(model);
    if (this.last?.key === key) return this.last.folder;
    const folder = this.models.read(model).then((read) => read.folder);
    const last = { key, folder };
    this.last = last;
    folder.catch(() => {
      if (this.last === last) this.last = undefined;
    });
    return folder;
  }
}
