/**
 * The GPU memory that an adapter takes to be talked to, and how it is given back. A shortage ends the making of it:
 * no training step that runs on the same device is told of it later.
 */
import type { ModelConfig } from '../config';
import type { ModelWeights } from '../decoder';
import type { Gpu, Tensor } from '../gpu';
import type { AdapterInputs } from '../inference';
import { AdapterState, type LoadedAdapter } from '../peft';
import { gpuInputs } from './adapter-inputs';

/** Named by what the device finds wrong. */
const WHAT = 'the adapter to talk with';

export interface HeldInputs {
  readonly inputs: AdapterInputs;
  /** Frees the memory; nothing that was asked with them may be under way. */
  readonly giveBack?: () => void;
}

/** The base that adapters are talked to over. */
export interface GpuBase {
  readonly gpu: Gpu;
  readonly config: ModelConfig;
  readonly weights: ModelWeights;
}

/**
 * Copies of what is being trained, with the values of this moment: as many bytes as its parameters.
 * @throws GpuError `out-of-memory`, `limit`, `device-lost`
 */
export function holdTrained(
  { gpu, config, weights }: GpuBase,
  state: AdapterState,
): Promise<HeldInputs> {
  const giveBack = () => state.giveBackCopies();
  return hold(gpu, giveBack, () => gpuInputs(gpu, config, weights, state));
}

/**
 * From main memory: as many bytes as a fully tuned model's parameters, twice those of an adapter.
 * @throws GpuError `out-of-memory`, `limit`, `device-lost`
 */
export function holdLoaded(base: GpuBase, adapter: LoadedAdapter): Promise<HeldInputs> {
  const { gpu, config, weights } = base;
  if (adapter.config.peft_type === 'FULL') return holdWeights(gpu, adapter);
  let state: AdapterState | undefined;
  const create = () => {
    const { layout, values } = adapter;
    return (state = new AdapterState(gpu, layout, adapter.config, values, { trainable: false }));
  };
  return hold(
    gpu,
    () => state?.dispose(),
    // Checked before anything is computed of it: DoRA's plan would take the shortage for its own.
    async () => gpuInputs(gpu, config, weights, await gpu.checked(WHAT, create)),
  );
}

/** Nothing is computed of them, so they need no flat buffer beside those that a session binds. */
function holdWeights(gpu: Gpu, { layout, values }: LoadedAdapter): Promise<HeldInputs> {
  const weights = new Map<string, Tensor>();
  const giveBack = () => {
    for (const tensor of weights.values()) gpu.destroyTensor(tensor);
  };
  return hold(gpu, giveBack, () => {
    for (const { key, path, shape, offset, count } of layout.parameters) {
      const data = values.subarray(offset, offset + count);
      weights.set(path, gpu.createTensor(key, shape, 'f32', data));
    }
    return { targets: [], tensors: new Map(), scale: 0, weights };
  });
}

async function hold(
  gpu: Gpu,
  giveBack: () => void,
  make: () => AdapterInputs | Promise<AdapterInputs>,
): Promise<HeldInputs> {
  try {
    return { inputs: await gpu.checked(WHAT, make), giveBack };
  } catch (error) {
    giveBack();
    throw error;
  }
}
