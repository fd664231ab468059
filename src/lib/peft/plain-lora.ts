/**
 * PiSSA and OLoRA take B0 A0, the factors they start from, out of the base. What they taught an unchanged
 * base is B A - B0 A0 = [B | -B0] [A ; A0]: a plain LoRA of twice the rank. PEFT converts so too
 * (`subtract_mutated_init`), and as nothing is lost, a checkpoint in this form can be gone on from.
 */
import type { LoraConfig } from '../config';
import type { LoadedAdapter } from './adapter-files';
import { layoutAdapter, type AdaptedModel, type AdapterParameter } from './adapter-layout';

/** The config of the converted adapter: twice each rank, and alphas that keep the scales. */
export function plainLoraConfig(config: LoraConfig): LoraConfig {
  const alpha = config.use_rslora ? Math.SQRT2 : 2;
  const { rank_pattern, alpha_pattern } = config;
  return {
    ...config,
    r: 2 * config.r,
    lora_alpha: alpha * config.lora_alpha,
    init_lora_weights: true,
    ...(rank_pattern && { rank_pattern: times(rank_pattern, 2) }),
    ...(alpha_pattern && { alpha_pattern: times(alpha_pattern, alpha) }),
  };
}

const times = (table: Readonly<Record<string, number>>, factor: number) =>
  Object.fromEntries(Object.entries(table).map(([name, value]) => [name, factor * value]));

/** @param initial what the flat parameters were at the start */
export function toPlainLora(
  config: LoraConfig,
  model: AdaptedModel,
  values: Float32Array,
  initial: Float32Array,
): LoadedAdapter {
  const plain = plainLoraConfig(config);
  const layout = layoutAdapter(model, plain);
  const flat = new Float32Array(layout.flatCount);
  forEachPair(model, config, plain, (from, to) => {
    for (const [r, { half, at, width }] of halves(from, to)) {
      const source = half === 0 ? values : initial;
      const sign = half === 1 && from.kind === 'lora_B' ? -1 : 1;
      for (let i = 0; i < width; i++)
        flat[to.offset + at + i] = sign * source[from.offset + r * width + i];
    }
  });
  return { config: plain, layout, values: flat };
}

/** The way back, bit for bit. */
export function fromPlainLora(
  config: LoraConfig,
  model: AdaptedModel,
  plainValues: Float32Array,
): { values: Float32Array; initial: Float32Array } {
  const { flatCount } = layoutAdapter(model, config);
  const values = new Float32Array(flatCount);
  const initial = new Float32Array(flatCount);
  forEachPair(model, config, plainLoraConfig(config), (from, to) => {
    for (const [r, { half, at, width }] of halves(from, to)) {
      const target = half === 0 ? values : initial;
      const sign = half === 1 && from.kind === 'lora_B' ? -1 : 1;
      for (let i = 0; i < width; i++)
        target[from.offset + r * width + i] = sign * plainValues[to.offset + at + i];
    }
  });
  // Biases are trained beside the factors and have no start of their own to take away.
  return { values, initial };
}

function forEachPair(
  model: AdaptedModel,
  config: LoraConfig,
  plain: LoraConfig,
  visit: (from: AdapterParameter, to: AdapterParameter) => void,
): void {
  const wide = layoutAdapter(model, plain).parameters;
  layoutAdapter(model, config).parameters.forEach((from, index) => visit(from, wide[index]));
}

/** Rows of the narrow tensor, and where each lies in the wide one, for both halves. */
function* halves(
  from: AdapterParameter,
  to: AdapterParameter,
): Generator<[number, { half: 0 | 1; at: number; width: number }]> {
  const [rows, width] = from.kind === 'bias' ? [1, from.count] : from.shape;
  const stride = from.kind === 'lora_B' ? to.shape[1] : width;
  const second = from.kind === 'lora_B' ? width : rows * width;
  for (let r = 0; r < rows; r++) {
    yield [r, { half: 0, at: r * stride, width }];
    if (from.kind !== 'bias') yield [r, { half: 1, at: r * stride + second, width }];
  }
}
