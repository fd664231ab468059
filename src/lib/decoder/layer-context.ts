/** What every kind of linear layer shares: its tensors, its label, and dropout on the low-rank path's input. */
import type { LinearSite } from '../config';
import type { PlanBuilder, Tensor } from '../gpu';
import { dropout } from '../kernels/dropout';
import { expandNf4 } from '../kernels/expand-nf4';
import type { WeightMatrix } from '../kernels/weight';
import type { Adapter } from './trainable';
import type { ModelWeights } from './weights';

export interface LayerContext {
  readonly plan: PlanBuilder;
  readonly weights: ModelWeights;
  readonly adapter: Adapter;
  /** StepState; holds the dropout seed. */
  readonly step: Tensor;
  /** False when the plan only evaluates: no dropout, nothing kept. */
  readonly training: boolean;
  /** Products with the model's weights round their operands to 16 bits; see kernels/matmul.ts. */
  readonly fp16: boolean;
}

/** Where a gradient goes: written into `tensor`, or a new one, or added to what is there. */
export interface GradientTarget {
  readonly tensor?: Tensor;
  readonly accumulate: boolean;
}

export const labelOf = ({ path }: LinearSite) => `/${path.replaceAll('.', '/')}`;

/**
 * The layer's weight (out, in): the base's, or the one in training. Where the base lies in 4 bits this appends
 * a dispatch and memory of the plan, so it is to be called once a pass, and only by what reads the weight.
 */
export function weightOf(context: LayerContext, site: LinearSite): WeightMatrix {
  const { plan, weights, adapter, fp16 } = context;
  const trained = adapter.tensor(`${site.path}.weight`);
  const weight = trained ? matrixOf(site, trained.value) : baseWeight(plan, weights, site);
  return { ...weight, fp16 };
}

export function baseWeight(
  plan: PlanBuilder,
  weights: ModelWeights,
  site: LinearSite,
): WeightMatrix {
  const name = `${site.path}.weight`;
  const weight = weights.nf4(name);
  if (!weight) return weights.matrix(name);
  return matrixOf(site, expandNf4(plan, { label: `${labelOf(site)}/expand`, weight }));
}

const matrixOf = ({ inFeatures, outFeatures }: LinearSite, tensor: Tensor): WeightMatrix => ({
  tensor,
  layout: 'out-in',
  inFeatures,
  outFeatures,
});

export function biasOf({ weights, adapter }: LayerContext, site: LinearSite): Tensor | undefined {
  const name = `${site.path}.bias`;
  const trained = adapter.bias(site.path) ?? adapter.tensor(name);
  return trained?.value ?? (site.hasBias ? weights.get(name) : undefined);
}

export const targetOf = ({ tensor, accumulate }: GradientTarget) => ({ dX: tensor, accumulate });

export function dropInput(context: LayerContext, label: string, site: number, x: Tensor): Tensor {
  const { plan, adapter, step, training } = context;
  if (!training || adapter.dropout === 0) return x;
  return dropout(plan, { label, x, step, site, probability: adapter.dropout });
}

/** The gradient of a dropped input, through the same mask, added to `into`. */
export function dropGradient(
  { plan, adapter, step }: LayerContext,
  label: string,
  site: number,
  x: Tensor,
  into: Tensor,
): void {
  const probability = adapter.dropout;
  dropout(plan, { label, x, step, site, probability, out: into, accumulate: true });
}
