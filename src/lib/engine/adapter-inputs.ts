/**
 * Adapters of every method as a session for talking reads them: in GPU memory or, for the CPU backend, in
 * main memory.
 */
import { linearSites, type ModelConfig } from '../config';
import { prepareAdapter, type ModelWeights } from '../decoder';
import { Arena, PlanBuilder, type Gpu, type Tensor } from '../gpu';
import { columnScale } from '../kernels/column-scale';
import { fill } from '../kernels/fill';
import type { AdapterInputs, InputTensor, LayerFactors, PrefixCache } from '../inference';
import {
  adapterKey,
  rowFactors,
  type AdapterLayout,
  type AdapterParameter,
  type AdapterState,
  type LoadedAdapter,
} from '../peft';
import { EngineError } from './errors';

/** A tensor of the base model by its checkpoint name, as f32. */
export type BaseTensor = (name: string) => Promise<Float32Array>;

/** In GPU memory, with the values that the adapter has at this moment. @param gpu whoever is to talk */
export async function gpuInputs(
  gpu: Gpu,
  config: ModelConfig,
  weights: ModelWeights,
  state: AdapterState,
): Promise<AdapterInputs> {
  await runPlan(gpu, 'row factors', (plan) =>
    prepareAdapter(plan, linearSites(config), weights, state),
  );
  const { own, byPath } = await gpu.checked('the adapter to talk with', () => ({
    own: state.ownTensors(gpu),
    byPath: state.ownRowFactors(gpu),
  }));
  await foldScales(gpu, state, own);
  const rows = byPath.size > 0 ? { byPath } : undefined;
  const prefix =
    state.config.peft_type === 'PREFIX_TUNING'
      ? prefixCache(config, state.layout, await state.readParameters())
      : undefined;
  return toInputs<Tensor>(state, (parameter) => own.get(parameter.key)!, { rows, prefix });
}

/** In main memory. @param base read for DoRA alone, whose factors depend on the weights */
export async function hostInputs(
  config: ModelConfig,
  adapter: LoadedAdapter,
  base: BaseTensor,
): Promise<AdapterInputs> {
  if (adapter.config.peft_type === 'FULL')
    throw new EngineError('bad-files', 'A fully tuned model is opened by its own weights.');
  const { layout, values } = adapter;
  const shared = sharedScale(layout);
  const slice = ({ kind, path, shape, offset, count }: AdapterParameter) => {
    const data = values.slice(offset, offset + count);
    if (kind !== 'lora_B' || shared !== undefined) return { shape, data };
    const scale = Math.fround(layout.lora.get(path)!.scale);
    return { shape, data: data.map((value) => scale * value) };
  };
  const prefix =
    adapter.config.peft_type === 'PREFIX_TUNING' ? prefixCache(config, layout, values) : undefined;
  return toInputs(adapter, slice, { rows: await hostRowFactors(adapter, base), prefix });
}

interface Extras {
  readonly rows: LayerFactors | undefined;
  readonly prefix: PrefixCache | undefined;
}

function toInputs<T extends InputTensor>(
  { config, layout }: Pick<LoadedAdapter, 'config' | 'layout'>,
  tensorOf: (parameter: AdapterParameter) => T,
  { rows, prefix }: Extras,
): AdapterInputs {
  const ofKind = (kind: AdapterParameter['kind']) =>
    layout.parameters.filter((parameter) => parameter.kind === kind);
  const byName = (kind: AdapterParameter['kind'], name: (parameter: AdapterParameter) => string) =>
    new Map(ofKind(kind).map((parameter) => [name(parameter), tensorOf(parameter)] as const));
  const factors = [...ofKind('lora_A'), ...ofKind('lora_B')];
  const inputs: AdapterInputs = {
    targets: new Set(layout.lora.keys()),
    tensors: new Map(factors.map((parameter) => [parameter.key, tensorOf(parameter)])),
    scale: layout.lora.size > 0 ? (sharedScale(layout) ?? 1) : 0,
    biases: byName('bias', ({ path }) => `${path}.bias`),
    rows: rows && { ...rows, withBias: false },
    prefix,
  };
  if (config.peft_type === 'FULL')
    return {
      ...inputs,
      weights: byName('tensor', ({ path }) => path) as unknown as ReadonlyMap<string, Tensor>,
    };
  if (config.peft_type !== 'IA3') return inputs;
  const inner = (parameter: AdapterParameter) => parameter.shape[0] === 1;
  const vectors = (wanted: boolean) =>
    new Map(
      ofKind('ia3_l')
        .filter((parameter) => inner(parameter) === wanted)
        .map((parameter) => [parameter.path, flat(tensorOf(parameter))] as const),
    );
  return {
    ...inputs,
    rows: { byPath: vectors(false), withBias: true },
    columns: { byPath: vectors(true) },
  };
}

/** Undefined where it differs from layer to layer: a graph has but one, so theirs go into B. */
function sharedScale({ lora }: AdapterLayout): number | undefined {
  const [first, ...others] = [...lora.values()].map(({ scale }) => scale);
  return others.every((scale) => scale === first) ? first : undefined;
}

/** Each copy of a B times its layer's scale, where these differ. */
async function foldScales(
  gpu: Gpu,
  state: AdapterState,
  own: ReadonlyMap<string, Tensor>,
): Promise<void> {
  const { lora } = state.layout;
  if (lora.size === 0 || sharedScale(state.layout) !== undefined) return;
  await runPlan(gpu, 'scales', (plan) => {
    for (const [path, { r, scale }] of lora) {
      const label = `${path}/scale`;
      const factors = plan.tensor(label, [r]);
      fill(plan, { label, out: factors, value: scale });
      const out = own.get(adapterKey(path, 'lora_B.weight'));
      columnScale(plan, { label, x: state.lora(path)!.b, factors, out });
    }
  });
}

/** (out, 1) or (1, in) as a vector over the same memory. */
const flat = <T extends InputTensor>(tensor: T): T => ({
  ...tensor,
  shape: [tensor.shape.reduce((product, size) => product * size, 1)],
});

async function runPlan(gpu: Gpu, name: string, fill: (plan: PlanBuilder) => void): Promise<void> {
  const plan = new PlanBuilder(gpu, name);
  fill(plan);
  if (plan.dispatchCount === 0) return;
  const arena = new Arena(gpu, name);
  try {
    const built = await plan.build(arena);
    await built.run().finally(() => built.dispose());
  } finally {
    arena.dispose();
  }
}

async function hostRowFactors(
  { config, layout, values }: LoadedAdapter,
  base: BaseTensor,
): Promise<LayerFactors | undefined> {
  if (config.peft_type !== 'LORA' || !config.use_dora) return undefined;
  const byPath = new Map<string, InputTensor>();
  const slice = ({ offset, count }: AdapterParameter) => values.subarray(offset, offset + count);
  for (const a of layout.parameters) {
    if (a.kind !== 'lora_A') continue;
    const find = (kind: AdapterParameter['kind']) =>
      layout.parameters.find((parameter) => parameter.path === a.path && parameter.kind === kind)!;
    const b = find('lora_B');
    const sizes = [b.shape[0], a.shape[1]] as const;
    const data = rowFactors(await base(`${a.path}.weight`), sizes, {
      a: slice(a),
      b: slice(b),
      scale: layout.lora.get(a.path)!.scale,
      rank: a.shape[0],
      magnitude: slice(find('lora_magnitude_vector')),
    });
    byPath.set(a.path, { shape: [data.length], data });
  }
  return { byPath };
}

/** PEFT's table (rows, layers x 2 x key width) as the cache of a sequence that went before. */
function prefixCache(
  { layerCount, kvHeadCount, headDim }: ModelConfig,
  { parameters }: AdapterLayout,
  values: Float32Array,
): PrefixCache {
  const { offset, shape } = parameters[0];
  const [length, stride] = shape;
  const width = kvHeadCount * headDim;
  const part = (index: number) => {
    const data = new Float32Array(length * width);
    for (let head = 0; head < kvHeadCount; head++)
      for (let p = 0; p < length; p++) {
        const start = offset + p * stride + index * width + head * headDim;
        data.set(values.subarray(start, start + headDim), (head * length + p) * headDim);
      }
    return { shape: [1, kvHeadCount, length, headDim], data };
  };
  const tensors = new Map(
    Array.from({ length: layerCount }, (_, layer) => [
      [`past_key_values.${layer}.key`, part(2 * layer)] as const,
      [`past_key_values.${layer}.value`, part(2 * layer + 1)] as const,
    ]).flat(),
  );
  return { length, tensors };
}
