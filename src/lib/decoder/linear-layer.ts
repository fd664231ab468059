/**
 * One linear layer, y = x W^T + b, with what a method adds to it, and its backward. LoRA adds s B A x; DoRA
 * stretches the rows of the sum (dora-layer.ts); IA3 scales what goes in or comes out; full fine-tuning
 * trains W and b themselves.
 */
import type { LinearSite } from '../config';
import type { Tensor } from '../gpu';
import { columnDot, columnScale } from '../kernels/column-scale';
import {
  biasBackward,
  linearBackwardInput,
  linearBackwardWeight,
  linearForward,
} from '../kernels/linear';
import { loraBackward, loraBackwardInput, loraForward } from '../kernels/lora';
import { backwardDora, forwardDora, type DoraTrace } from './dora-layer';
import {
  biasOf,
  dropGradient,
  dropInput,
  labelOf,
  targetOf,
  weightOf,
  type GradientTarget,
  type LayerContext,
} from './layer-context';
import type { LoraPair } from './trainable';

/** What backward needs of a layer's forward pass. */
export interface LinearTrace {
  readonly site: LinearSite;
  /** Which dropout of the model this is, for the mask's counter. */
  readonly dropoutSite: number;
  /** What came in, (N, in). */
  readonly x: Tensor;
  /** What the weight read: x, or x scaled by IA3, (N, in). */
  readonly read: Tensor;
  /** What the weight gave before IA3 scaled it, (N, out). */
  readonly unscaled: Tensor | undefined;
  /** x A^T, (N, R) */
  readonly h: Tensor | undefined;
  readonly dora: DoraTrace | undefined;
}

export function forwardLinear(
  context: LayerContext,
  site: LinearSite,
  dropoutSite: number,
  x: Tensor,
): { out: Tensor; trace: LinearTrace } {
  const { plan, adapter } = context;
  const label = labelOf(site);
  const pair = adapter.lora(site.path);
  const trace = {
    site,
    dropoutSite,
    x,
    read: x,
    unscaled: undefined,
    h: undefined,
    dora: undefined,
  };
  if (pair?.magnitude) {
    const { out, trace: dora } = forwardDora(context, site, dropoutSite, x, pair);
    return { out, trace: { ...trace, dora } };
  }
  const scaling = adapter.scaling(site.path);
  const scaled = (tensor: Tensor) =>
    columnScale(plan, { label: `${label}/ia3_l`, x: tensor, factors: scaling!.value });
  const read = scaling?.side === 'input' ? scaled(x) : x;
  const weight = weightOf(context, site);
  const out = linearForward(plan, { label, x: read, weight, bias: biasOf(context, site) });
  if (scaling?.side === 'output') return { out: scaled(out), trace: { ...trace, unscaled: out } };
  if (!pair) return { out, trace: { ...trace, read } };
  const dropped = dropInput(context, label, dropoutSite, x);
  const { a, b, scale } = pair;
  const { h } = loraForward(plan, { label, x: dropped, a, b, scale, out });
  if (pair.initial)
    loraForward(plan, { label: `${label}/initial`, x, ...pair.initial, scale: -scale, out });
  return { out, trace: { ...trace, h } };
}

/**
 * Accumulates the gradients of all that is trained in the layer.
 * @param dX left out where nothing below is trained
 */
export function backwardLinear(
  context: LayerContext,
  trace: LinearTrace,
  dOut: Tensor,
  dX: GradientTarget | undefined,
): Tensor | undefined {
  const { plan, adapter } = context;
  const { site, x } = trace;
  const label = `${labelOf(site)}/backward`;
  const scaling = adapter.scaling(site.path);
  let inner = dOut;
  if (scaling && trace.unscaled) {
    if (scaling.gradient)
      columnDot(plan, { label, a: dOut, b: trace.unscaled, into: scaling.gradient });
    inner = columnScale(plan, { label: `${label}/ia3_l`, x: dOut, factors: scaling.value });
  }
  const bias = adapter.bias(site.path) ?? adapter.tensor(`${site.path}.bias`);
  if (bias?.gradient) biasBackward(plan, { label, dOut: inner, dBias: bias.gradient });
  const dWeight = adapter.tensor(`${site.path}.weight`)?.gradient;
  if (dWeight) linearBackwardWeight(plan, { label, dOut: inner, x, dWeight });
  const pair = adapter.lora(site.path);
  if (pair && trace.dora) return backwardDora(context, trace, trace.dora, pair, inner, dX);
  if (scaling?.side === 'input') return backwardScaledInput(context, trace, inner, dX);
  const below =
    dX &&
    linearBackwardInput(plan, {
      label,
      dOut: inner,
      weight: weightOf(context, site),
      ...targetOf(dX),
    });
  if (!pair) return below;
  if (below && pair.initial) {
    const { initial, scale } = pair;
    loraBackwardInput(plan, {
      label: `${label}/initial`,
      dOut,
      ...initial,
      scale: -scale,
      dX: below,
    });
  }
  backwardPair(context, trace, pair, dOut, below);
  return below;
}

/** LoRA's own gradients, and what flows through its path into `below`. */
function backwardPair(
  context: LayerContext,
  { site, dropoutSite, x, h }: LinearTrace,
  { a, b, scale, dA, dB }: LoraPair,
  dOut: Tensor,
  below: Tensor | undefined,
): void {
  if (!h || !dA || !dB) return;
  const label = `${labelOf(site)}/backward`;
  const dropped = dropInput(context, label, dropoutSite, x);
  const lora = { label, dOut, x: dropped, h, a, b, scale, dA, dB };
  if (!below) loraBackward(context.plan, lora);
  else if (context.adapter.dropout === 0)
    loraBackward(context.plan, { ...lora, dX: below, accumulate: true });
  else {
    const dDropped = context.plan.tensor(`${label}/dDropped`, x.shape);
    loraBackward(context.plan, { ...lora, dX: dDropped, accumulate: false });
    dropGradient(context, label, dropoutSite, dDropped, below);
  }
}

/** IA3 on the input: dl += sum of (dOut W) x, dX = (dOut W) l. */
function backwardScaledInput(
  context: LayerContext,
  { site, x }: LinearTrace,
  dOut: Tensor,
  dX: GradientTarget | undefined,
): Tensor | undefined {
  const { plan, adapter } = context;
  const label = `${labelOf(site)}/backward`;
  const { value, gradient } = adapter.scaling(site.path)!;
  const weight = weightOf(context, site);
  const dRead = linearBackwardInput(plan, { label, dOut, weight });
  if (gradient) columnDot(plan, { label, a: dRead, b: x, into: gradient });
  if (!dX) return undefined;
  const out = dX.tensor;
  const accumulate = dX.accumulate;
  return columnScale(plan, { label: `${label}/ia3_l`, x: dRead, factors: value, out, accumulate });
}
