/**
 * The GPU memory that an adapter takes to be talked to, and how it is given back. Each is made by an owner of its own:
 * no training step that runs on the same device is told of its shortage, and it is told of none but that.
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

/** About what is held of an adapter, wherever it lies. */
export const inputBytes = ({ config, layout }: Pick<LoadedAdapter, 'config' | 'layout'>): number =>
  (config.peft_type === 'FULL' ? 4 : 8) * layout.flatCount;

/**
 * Copies of what is being trained, with the values of this moment: as many bytes as its parameters.
 * @throws GpuError `out-of-memory`, `limit`, `device-lost`
 */
export function holdTrained(
  { gpu, config, weights }: GpuBase,
  state: AdapterState,
): Promise<HeldInputs> {
  const giveBack = () => state.giveBackCopies();
  return hold(giveBack, () => gpuInputs(gpu.forOwner(), config, weights, state));
}

/**
 * From main memory: as many bytes as a fully tuned model's parameters, twice those of an adapter.
 * @throws GpuError `out-of-memory`, `limit`, `device-lost`
 */
export function holdLoaded(base: GpuBase, adapter: LoadedAdapter): Promise<HeldInputs> {
  const { config, weights } = base;
  const gpu = base.gpu.forOwner();
  if (adapter.config.peft_type === 'FULL') return holdWeights(gpu, adapter);
  let state: AdapterState | undefined;
  const create = () => {
    const { layout, values } = adapter;
    return (state = new AdapterState(gpu, layout, adapter.config, values, { trainable: false }));
  };
  return hold(
    () => state?.dispose(),
    async () => gpuInputs(gpu, config, weights, await gpu.checked(WHAT, create)),
  );
}

/** Nothing is computed of them, so they need no flat buffer beside those that a session binds. */
function holdWeights(gpu: Gpu, { layout, values }: LoadedAdapter): Promise<HeldInputs> {
  const weights = new Map<string, Tensor>();
  const giveBack = () => {
    for (const tensor of weights.values()) gpu.destroyTensor(tensor);
  };
  const create = (): AdapterInputs => {
    for (const { key, path, shape, offset, count } of layout.parameters) {
      const data = values.subarray(offset, offset + count);
      weights.set(path, gpu.createTensor(key, shape, 'f32', data));
    }
    return { targets: new Set(), tensors: new Map(), scale: 0, weights };
  };
  return hold(giveBack, () => gpu.checked(WHAT, create));
}

async function hold(giveBack: () => void, make: () => Promise<AdapterInputs>): Promise<HeldInputs> {
  try {
    return { inputs: await make(), giveBack };
  } catch (error) {
    giveBack();
    throw error;
  }
}
