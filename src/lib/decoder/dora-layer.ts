/**
 * A linear layer with DoRA (arXiv 2402.09353, PEFT `lora/dora.py`). With f = magnitude / ||W + s B A|| for
 * each row, z = W x' + s B A x' and x' = dropout(x):
 *
 *   y = W x + b + (f - 1) W x' + f s B A x'          which without dropout is y = f z + b
 *
 * The norm is a constant in the gradient, so dMagnitude = sum over rows of dOut z / norm.
 */
import type { LinearSite } from '../config';
import type { PlanBuilder, Tensor } from '../gpu';
import { columnDot, columnScale } from '../kernels/column-scale';
import { doraNorm } from '../kernels/dora-norm';
import { linearBackwardInput, linearForward } from '../kernels/linear';
import { loraBackward, loraForward } from '../kernels/lora';
import {
  baseWeight,
  biasOf,
  dropGradient,
  dropInput,
  labelOf,
  targetOf,
  weightOf,
  type GradientTarget,
  type LayerContext,
} from './layer-context';
import type { Adapter, LoraPair } from './trainable';
import type { ModelWeights } from './weights';

export interface DoraTrace {
  /** x' A^T, (N, R) */
  readonly h: Tensor;
  /** W x' and s B A x' one by one, or their sum alone, (N, out) each. */
  readonly parts: readonly Tensor[];
}

/** Appends what has to be computed of an adapter's parameters once, before the batches of a step. */
export function prepareAdapter(
  plan: PlanBuilder,
  sites: readonly LinearSite[],
  weights: ModelWeights,
  adapter: Adapter,
): void {
  for (const site of sites) {
    const pair = adapter.lora(site.path);
    if (!pair?.magnitude) continue;
    const { a, b, scale } = pair;
    const { value: magnitude, factor, inverseNorm } = pair.magnitude;
    const weight = baseWeight(plan, weights, site);
    const label = `${labelOf(site)}/norm`;
    doraNorm(plan, { label, weight, a, b, scale, magnitude, factor, inverseNorm });
  }
}

const drops = ({ adapter, training }: LayerContext) => training && adapter.dropout > 0;

export function forwardDora(
  context: LayerContext,
  site: LinearSite,
  dropoutSite: number,
  x: Tensor,
  { a, b, scale, magnitude }: LoraPair,
): { out: Tensor; trace: DoraTrace } {
  const { plan } = context;
  const label = labelOf(site);
  const weight = weightOf(context, site);
  const bias = biasOf(context, site);
  const factors = magnitude!.factor;
  if (!drops(context)) {
    const z = linearForward(plan, { label, x, weight });
    const { h } = loraForward(plan, { label, x, a, b, scale, out: z });
    const out = columnScale(plan, { label: `${label}/magnitude`, x: z, factors, bias });
    return { out, trace: { h, parts: [z] } };
  }
  const dropped = dropInput(context, label, dropoutSite, x);
  const out = linearForward(plan, { label, x, weight, bias });
  const base = linearForward(plan, { label: `${label}/dropped`, x: dropped, weight });
  const low = plan.tensor(`${label}/low`, base.shape);
  const { h } = loraForward(plan, { label, x: dropped, a, b, scale, out: low, accumulate: false });
  const add = { label: `${label}/magnitude`, factors, out, accumulate: true };
  columnScale(plan, { ...add, x: base, shift: -1 });
  columnScale(plan, { ...add, x: low });
  return { out, trace: { h, parts: [base, low] } };
}

export function backwardDora(
  context: LayerContext,
  { site, dropoutSite, x }: { site: LinearSite; dropoutSite: number; x: Tensor },
  { h, parts }: DoraTrace,
  { a, b, scale, dA, dB, magnitude }: LoraPair,
  dOut: Tensor,
  dX: GradientTarget | undefined,
): Tensor | undefined {
  const { plan } = context;
  const label = `${labelOf(site)}/backward`;
  const { gradient, factor, inverseNorm } = magnitude!;
  if (gradient)
    for (const part of parts)
      columnDot(plan, { label, a: dOut, b: part, factors: inverseNorm, into: gradient });
  const stretched = (shift: number) =>
    columnScale(plan, { label: `${label}/magnitude`, x: dOut, factors: factor, shift });
  const dZ = stretched(0);
  if (!dA || !dB) return undefined;
  const dropped = dropInput(context, label, dropoutSite, x);
  const lora = { label, dOut: dZ, x: dropped, h, a, b, scale, dA, dB };
  if (!dX) {
    loraBackward(plan, lora);
    return undefined;
  }
  const weight = weightOf(context, site);
  if (!drops(context)) {
    const below = linearBackwardInput(plan, { label, dOut: dZ, weight, ...targetOf(dX) });
    loraBackward(plan, { ...lora, dX: below });
    return below;
  }
  const below = linearBackwardInput(plan, { label, dOut, weight, ...targetOf(dX) });
  const dDropped = linearBackwardInput(plan, {
    label: `${label}/dropped`,
    dOut: stretched(-1),
    weight,
  });
  loraBackward(plan, { ...lora, dX: dDropped });
  dropGradient(context, label, dropoutSite, dDropped, below);
  return below;
}
