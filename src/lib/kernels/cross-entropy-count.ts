/** How many targets a model has right: the `correct` of linearCrossEntropy, counted. */
import { elementCount, read, update, type PlanBuilder, type Tensor } from '../gpu';
import COUNT from './cross-entropy-count.wgsl?raw';
import { KernelError } from './errors';

export interface CountCorrectArgs {
  readonly label: string;
  /** (N) u32: 1 or 0. */
  readonly correct: Tensor;
  /** (1) u32, accumulates. */
  readonly total: Tensor;
}

/** total += sum of correct. @throws KernelError `dtype`, `shape` */
export function countCorrect(plan: PlanBuilder, { label, correct, total }: CountCorrectArgs): void {
  for (const [name, tensor] of Object.entries({ correct, total }))
    if (tensor.dtype !== 'u32')
      throw new KernelError(
        'dtype',
        `${label}: ${name} (${tensor.label}) is ${tensor.dtype}, u32 is needed.`,
      );
  if (elementCount(total.shape) !== 1)
    throw new KernelError(
      'shape',
      `${label}: total (${total.label}) has shape [${total.shape}], [1] is needed.`,
    );
  plan.dispatch({
    label,
    kernel: { name: 'cross-entropy-count', wgsl: COUNT },
    bindings: [read(correct), update(total)],
    uniforms: [elementCount(correct.shape)],
    grid: [1],
  });
}
