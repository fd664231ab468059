/** One linear layer with its bias and LoRA path: y = x W^T + b + s B A dropout(x), and its backward. */
import type { PlanBuilder, Tensor } from '../gpu';
import { dropout } from '../kernels/dropout';
import { biasBackward, linearBackwardInput, linearForward } from '../kernels/linear';
import { loraBackward, loraForward } from '../kernels/lora';
import type { LinearSite } from './parameters';
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
}

/** What backward needs of a layer's forward pass. */
export interface LinearTrace {
  readonly site: LinearSite;
  /** Which dropout of the model this is, for the mask's counter. */
  readonly dropoutSite: number;
  /** (N, in) */
  readonly x: Tensor;
  /** x A^T, (N, R) */
  readonly h: Tensor | undefined;
}

export function forwardLinear(
  context: LayerContext,
  site: LinearSite,
  dropoutSite: number,
  x: Tensor,
): { out: Tensor; trace: LinearTrace } {
  const { plan, weights, adapter } = context;
  const label = `/${site.path.replaceAll('.', '/')}`;
  const bias =
    adapter.bias(site.path)?.value ?? (site.hasBias ? weights.get(`${site.path}.bias`) : undefined);
  const out = linearForward(plan, {
    label,
    x,
    weight: weights.matrix(`${site.path}.weight`),
    bias,
  });
  const pair = adapter.lora(site.path);
  if (!pair) return { out, trace: { site, dropoutSite, x, h: undefined } };
  const dropped = dropInput(context, label, dropoutSite, x);
  const { h } = loraForward(plan, {
    label,
    x: dropped,
    a: pair.a,
    b: pair.b,
    scale: pair.scale,
    out,
  });
  return { out, trace: { site, dropoutSite, x, h } };
}

/**
 * Accumulates the gradients of LoRA and bias.
 * @param dX written, or accumulated into when `accumulate`; left out where nothing below is trained
 */
export function backwardLinear(
  context: LayerContext,
  trace: LinearTrace,
  dOut: Tensor,
  dX: { tensor?: Tensor; accumulate: boolean } | undefined,
): Tensor | undefined {
  const { plan, weights, adapter } = context;
  const { site, x, h } = trace;
  const label = `/${site.path.replaceAll('.', '/')}/backward`;
  const bias = adapter.bias(site.path);
  if (bias?.gradient) biasBackward(plan, { label, dOut, dBias: bias.gradient });
  const below = dX
    ? linearBackwardInput(plan, {
        label,
        dOut,
        weight: weights.matrix(`${site.path}.weight`),
        dX: dX.tensor,
        accumulate: dX.accumulate,
      })
    : undefined;
  const pair = adapter.lora(site.path);
  if (!pair || !h || !pair.dA || !pair.dB) return below;
  const { a, b, scale, dA, dB } = pair;
  const drops = adapter.dropout > 0;
  const dropped = dropInput(context, label, trace.dropoutSite, x);
  const lora = { label, dOut, x: dropped, h, a, b, scale, dA, dB };
  if (below && !drops) loraBackward(plan, { ...lora, dX: below, accumulate: true });
  else if (!below) loraBackward(plan, lora);
  else {
    const dDropped = plan.tensor(`${label}/dDropped`, x.shape);
    loraBackward(plan, { ...lora, dX: dDropped, accumulate: false });
    dropout(plan, {
      label,
      x: dDropped,
      step: context.step,
      site: trace.dropoutSite,
      probability: adapter.dropout,
      out: below,
      accumulate: true,
    });
  }
  return below;
}

function dropInput(context: LayerContext, label: string, site: number, x: Tensor): Tensor {
  const { plan, adapter, step, training } = context;
  if (!training || adapter.dropout === 0) return x;
  return dropout(plan, { label, x, step, site, probability: adapter.dropout });
}
