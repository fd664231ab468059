/**
 * Output projection fused with softmax cross-entropy. Only rows that have a target are computed, in chunks:
 * the logits of one chunk are the largest thing in memory, tokens x vocabulary never is.
 * N rows, C model width, V vocabulary.
 */
import {
  BYTES_PER_ELEMENT,
  elementCount,
  read,
  update,
  write,
  type DType,
  type Gpu,
  type PlanBuilder,
  type Tensor,
} from '../gpu';
import ALL_SUBGROUP from './cross-entropy-all-subgroup.wgsl?raw';
import ALL from './cross-entropy-all.wgsl?raw';
import GATHER from './cross-entropy-gather.wgsl?raw';
import SCATTER from './cross-entropy-scatter.wgsl?raw';
import SOFTMAX from './cross-entropy-softmax.wgsl?raw';
import SUM from './cross-entropy-sum.wgsl?raw';
import { floatBits, foldGrid, packPrelude, packWidth } from './add-elementwise';
import { KernelError } from './errors';
import { fill } from './fill';
import { matmul } from './matmul';
import { STEP_STATE_PRELUDE, STEP_STATE_WORDS } from './step-state';
import { rowLanes } from './subgroup-lanes';
import { checkWeight, type WeightMatrix } from './weight';

/** Bytes of logits that a chunk aims at. */
const CHUNK_BYTES = 32 * 2 ** 20;
const FEWEST_CHUNK_ROWS = 16;
const MOST_CHUNK_ROWS = 256;
/** Workgroup sizes of cross-entropy-softmax.wgsl and cross-entropy-sum.wgsl. */
const SOFTMAX_THREADS = 128;
/** On CPUs, which go from one subgroup to the next at each barrier: 128 threads are 32 subgroups of SwiftShader. */
const SOFTMAX_THREADS_ON_CPU = 16;
const SUM_THREADS = 64;
/** Word of StepState that holds targetCount. */
const TARGET_COUNT_WORD = 1;

export interface LinearCrossEntropyArgs {
  readonly label: string;
  /** (N, C) */
  readonly hidden: Tensor;
  /** C in, V out. */
  readonly weight: WeightMatrix;
  /** (V) */
  readonly bias?: Tensor;
  /** (N) i32: rows that have a target, compacted to the front, none twice; the first step.targetCount are valid. */
  readonly rowIndex: Tensor;
  /** (N) i32: target token of row rowIndex[i]; one outside 0 .. V - 1 makes its loss NaN. */
  readonly targets: Tensor;
  /** StepState: targetCount, lossScale. */
  readonly step: Tensor;
  /** (N) f32: loss of compacted row i, not scaled; 0 at and after targetCount. */
  readonly loss: Tensor;
  /** (N, C), written: gradient of lossScale * sum(loss); zero in rows without a target. Left out = evaluation. */
  readonly dHidden?: Tensor;
  /** (V, C) f32, accumulates the weight's gradient; needs dHidden and a weight of layout 'out-in'. */
  readonly dWeight?: Tensor;
  /** (N) u32: 1 where the largest logit of compacted row i is its target's; the lowest token wins a tie. */
  readonly correct?: Tensor;
  /**
   * Share of each target that is spread over all V, 0 to 1: the loss of a row is then
   * (1 - labelSmoothing) * -log p[target] + labelSmoothing * mean of -log p over the vocabulary.
   */
  readonly labelSmoothing?: number;
  /** Rows whose logits are in memory at one time. */
  readonly chunkRows?: number;
  /** For tests; the fastest when left out. */
  readonly variant?: CrossEntropyVariant;
}

/** How the threads of a row put together what they have seen. */
export type CrossEntropyVariant = 'subgroup' | 'workgroup';

/** Variants that this device can run, the fastest first. They add in different orders. */
export function crossEntropyVariants(gpu: Gpu): CrossEntropyVariant[] {
  return rowLanes(gpu) ? ['subgroup', 'workgroup'] : ['workgroup'];
}

/** Rows of a chunk when none are asked for: as many as CHUNK_BYTES of logits, in whole tiles. */
export function defaultChunkRows(N: number, V: number): number {
  const fitting = Math.floor(CHUNK_BYTES / (V * BYTES_PER_ELEMENT.f32) / 16) * 16;
  return Math.min(N, Math.max(FEWEST_CHUNK_ROWS, Math.min(MOST_CHUNK_ROWS, fitting)));
}

/** @throws KernelError `shape`, `dtype` */
export function linearCrossEntropy(plan: PlanBuilder, args: LinearCrossEntropyArgs): void {
  const { label, hidden, weight, bias, rowIndex, targets, step, loss, dHidden, correct } = args;
  checkWeight(label, weight);
  if (hidden.shape.length !== 2)
    throw new KernelError(
      'shape',
      `${label}: hidden (${hidden.label}) has shape [${hidden.shape}], (N, C) is needed.`,
    );
  const [N, C] = hidden.shape;
  const V = weight.outFeatures;
  expect(label, 'hidden', hidden, [N, weight.inFeatures], 'f32');
  expect(label, 'rowIndex', rowIndex, [N], 'i32');
  expect(label, 'targets', targets, [N], 'i32');
  expect(label, 'step', step, [STEP_STATE_WORDS], 'u32');
  expect(label, 'loss', loss, [N], 'f32');
  if (dHidden) expect(label, 'dHidden', dHidden, [N, C], 'f32');
  if (correct) expect(label, 'correct', correct, [N], 'u32');
  const labelSmoothing = args.labelSmoothing ?? 0;
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
    throw new KernelError(
      'shape',
      `${label}: labelSmoothing is ${labelSmoothing}, a number from 0 to 1 is needed.`,
    );
  const { dWeight } = args;
  if (dWeight) expect(label, 'dWeight', dWeight, [V, C], 'f32');
  if (dWeight && (!dHidden || weight.layout !== 'out-in'))
    throw new KernelError('shape', `${label}: dWeight needs dHidden and a weight (V, C).`);
  const chunkRows = Math.min(N, args.chunkRows ?? defaultChunkRows(N, V));
  if (!Number.isInteger(chunkRows) || chunkRows < 1)
    throw new KernelError(
      'shape',
      `${label}: chunkRows is ${args.chunkRows}, a whole number from 1 is needed.`,
    );

  const { kernel: softmax, threads } = softmaxKernel(
    plan.gpu,
    V,
    correct !== undefined,
    args.variant,
  );
  const rows = plan.tensor(`${label}/rows`, [N, C]);
  const gather = (into: Tensor, first: number, count: number, access: typeof write) =>
    plan.dispatch({
      label: `${label}/gather`,
      kernel: { name: 'cross-entropy-gather', wgsl: STEP_STATE_PRELUDE + GATHER },
      bindings: [read(hidden), read(rowIndex), read(step), access(into)],
      uniforms: [first, count, C],
      grid: foldGrid(count),
    });
  gather(rows, 0, N, write);
  const logits = plan.tensor(`${label}/logits`, [chunkRows, V]);
  const dRows = dHidden && plan.tensor(`${label}/dRows`, [N, C]);
  for (let first = 0; first < N; first += chunkRows) {
    const total = Math.min(chunkRows, N - first);
    const live = { total, count: step, countWord: TARGET_COUNT_WORD, first };
    // What no live row overwrites has to be zero where rows are summed.
    if (dWeight) fill(plan, { label: `${label}/clear`, out: logits, value: 0 });
    matmul(plan, {
      label: `${label}/logits`,
      a: rows,
      b: weight.tensor,
      fp16: weight.fp16,
      transposeB: weight.layout === 'out-in',
      bias,
      out: logits,
      rows: { ...live, aFirst: first },
    });
    plan.dispatch({
      label: `${label}/softmax`,
      kernel: softmax,
      bindings: [
        read(targets),
        read(step),
        update(logits),
        write(loss),
        ...(correct ? [write(correct)] : []),
      ],
      uniforms: [V, first, dHidden ? 1 : 0, threads / 2, floatBits(labelSmoothing)],
      grid: [total],
    });
    if (dRows)
      matmul(plan, {
        label: `${label}/dRows`,
        a: logits,
        b: weight.tensor,
        fp16: weight.fp16,
        transposeB: weight.layout === 'in-out',
        out: dRows,
        rows: { ...live, outFirst: first },
      });
    if (dWeight) {
      const chunk = plan.tensor(`${label}/chunk`, [chunkRows, C]);
      fill(plan, { label: `${label}/clear`, out: chunk, value: 0 });
      gather(chunk, first, total, update);
      matmul(plan, {
        label: `${label}/dWeight`,
        a: logits,
        b: chunk,
        transposeA: true,
        out: dWeight,
        accumulate: true,
      });
    }
  }
  if (!dHidden || !dRows) return;
  fill(plan, { label: `${label}/clear`, out: dHidden, value: 0 });
  plan.dispatch({
    label: `${label}/scatter`,
    kernel: { name: 'cross-entropy-scatter', wgsl: STEP_STATE_PRELUDE + SCATTER },
    bindings: [read(dRows), read(rowIndex), read(step), update(dHidden)],
    uniforms: [N, C],
    grid: foldGrid(N),
  });
}

export interface SumLossArgs {
  readonly label: string;
  /** (N) */
  readonly loss: Tensor;
  /** (1), accumulates. */
  readonly total: Tensor;
}

/** total += sum of loss, in a fixed order. */
export function sumLoss(plan: PlanBuilder, args: SumLossArgs): void {
  const { label, loss, total } = args;
  const N = elementCount(loss.shape);
  expect(label, 'loss', loss, [N], 'f32');
  expect(label, 'total', total, [1], 'f32');
  plan.dispatch({
    label,
    kernel: { name: 'cross-entropy-sum', wgsl: SUM },
    bindings: [read(loss), update(total)],
    uniforms: [N, SUM_THREADS / 2],
    grid: [1],
  });
}

function softmaxKernel(
  gpu: Gpu,
  V: number,
  withCorrect: boolean,
  variant = crossEntropyVariants(gpu)[0],
) {
  const width = packWidth(V);
  // Without `correct` its binding falls away and the uniform struct moves up by one.
  const prelude = withCorrect ? CORRECT_BOUND : CORRECT_UNBOUND;
  const text = STEP_STATE_PRELUDE + packPrelude(width) + PARTS[width] + prelude + SOFTMAX;
  const lanes = variant === 'subgroup' ? rowLanes(gpu) : undefined;
  const threads = gpu.isSoftware ? (lanes ?? SOFTMAX_THREADS_ON_CPU) : SOFTMAX_THREADS;
  const kernel = lanes
    ? { name: 'subgroup', wgsl: `enable subgroups;\n${text}${ALL_SUBGROUP}` }
    : { name: 'workgroup', wgsl: text + ALL };
  return {
    threads,
    kernel: {
      name: `cross-entropy-softmax-${kernel.name}`,
      wgsl: kernel.wgsl,
      constants: { THREADS: threads, ...(lanes && { LANES: lanes }) },
    },
  };
}

/** What a thread found in the columns of its Packs becomes one. */
const PARTS = {
  1: `
const COLUMNS = 0u;
fn partOf(p: Pack, i: u32) -> f32 { return p; }
fn joined(largest: Pack, place: PackBits, sum: Pack, total: Pack) -> Seen {
  return Seen(largest, place, sum, total);
}
`,
  4: `
const COLUMNS = vec4<u32>(0u, 1u, 2u, 3u);
fn partOf(p: Pack, i: u32) -> f32 { return p[i]; }
fn joined(largest: Pack, place: PackBits, sum: Pack, total: Pack) -> Seen {
  return merged(
    merged(Seen(largest.x, place.x, sum.x, total.x), Seen(largest.y, place.y, sum.y, total.y)),
    merged(Seen(largest.z, place.z, sum.z, total.z), Seen(largest.w, place.w, sum.w, total.w)),
  );
}
`,
};

const CORRECT_BOUND = `
@group(0) @binding(4) var<storage, read_write> correct: array<u32>;
@group(0) @binding(5) var<uniform> sizes: Sizes;
fn markCorrect(row: u32, value: u32) { correct[row] = value; }
`;

const CORRECT_UNBOUND = `
@group(0) @binding(4) var<uniform> sizes: Sizes;
fn markCorrect(row: u32, value: u32) {}
`;

function expect(
  label: string,
  name: string,
  tensor: Tensor,
  shape: readonly number[],
  dtype: DType,
): void {
  if (tensor.dtype !== dtype)
    throw new KernelError(
      'dtype',
      `${label}: ${name} (${tensor.label}) is ${tensor.dtype}, ${dtype} is needed.`,
    );
  if (
    tensor.shape.length !== shape.length ||
    tensor.shape.some((size, axis) => size !== shape[axis])
  )
    throw new KernelError(
      'shape',
      `${label}: ${name} (${tensor.label}) has shape [${tensor.shape}], [${shape}] is needed.`,
    );
}
