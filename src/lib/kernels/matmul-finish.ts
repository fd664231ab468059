/**
 * How a product ends: what is added to its sums, and where they go; the second kernel of one whose K was split.
 * Knows no variants.
 */
import { read, update, write, type Binding, type PlanBuilder, type Tensor } from '../gpu';
import { packPrelude, packWidth } from './add-elementwise';
import type { MatmulRows } from './matmul';
import { storesQuads, type Strides } from './matmul-loads';
import REDUCE from './matmul-reduce.wgsl?raw';
import { biasPrelude, type WeightDType } from './weight';

export interface MatmulFinish {
  readonly bias: Tensor | undefined;
  readonly biasType: WeightDType;
  readonly out: Tensor;
  readonly outStrides: Strides;
  /** First element of `out`. */
  readonly outOffset: number;
  /** Bits of an f32. */
  readonly alpha: number;
  readonly accumulate: boolean;
  readonly rows: MatmulRows | undefined;
  /** Bound where there is no bias or row count. */
  readonly unused: Tensor;
}

/** bias, row count and out, in the order of their bindings */
export function finishBindings(finish: MatmulFinish): Binding[] {
  const { bias, rows, out, accumulate, unused } = finish;
  return [read(bias ?? unused), read(rows?.count ?? unused), accumulate ? update(out) : write(out)];
}

/** accumulateTimes, limited, limitWord and limitOffset of the uniforms */
export function finishTimes({ accumulate, rows }: MatmulFinish): number[] {
  const limit = rows ? [1, rows.countWord, rows.first] : [0, 0, 0];
  return [accumulate ? 1 : 0, ...limit];
}

/** Workgroup size of matmul-reduce.wgsl. */
const REDUCE_THREADS = 64;
const COLUMNS = { 1: 'const COLUMNS = 0u;\n', 4: 'const COLUMNS = vec4<u32>(0u, 1u, 2u, 3u);\n' };

/** @param sums planes (splits, M, N) of partial sums */
export function reducePlanes(
  plan: PlanBuilder,
  label: string,
  sums: { readonly planes: Tensor; readonly M: number; readonly N: number },
  finish: MatmulFinish,
): void {
  const { planes, M, N } = sums;
  const { biasType, outStrides, outOffset, alpha, bias } = finish;
  const width = storesQuads(N, outStrides, outOffset) ? packWidth(N) : 1;
  const groups = Math.ceil((M * N) / width / REDUCE_THREADS);
  const gridX = Math.min(groups, plan.gpu.device.limits.maxComputeWorkgroupsPerDimension);
  plan.dispatch({
    label,
    kernel: {
      name: `matmul-reduce-${biasType}-${width}`,
      wgsl: biasPrelude(biasType) + packPrelude(width) + COLUMNS[width] + REDUCE,
    },
    bindings: [read(planes), ...finishBindings(finish)],
    uniforms: [
      M,
      N,
      planes.shape[0],
      outStrides.row,
      outStrides.column,
      outOffset,
      alpha,
      bias ? width : 0,
      ...finishTimes(finish),
    ],
    grid: [gridX, Math.ceil(groups / gridX)],
  });
}
