/** What `matmul` refuses, by name. */
import { elementCount, rootOf, type Gpu, type Tensor } from '../gpu';
import { KernelError } from './errors';
import type { MatmulArgs, MatmulRows } from './matmul';
import { isWeightDType, type WeightDType } from './weight';

export interface MatmulSizes {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  /** Rows of op(a), of which `rows` may take part. */
  readonly aRows: number;
  readonly bType: WeightDType;
  /** f32 where there is none. */
  readonly biasType: WeightDType;
}

/** @throws KernelError `shape`, `dtype`, `no-f16` */
export function checkMatmul(args: MatmulArgs, gpu: Gpu): MatmulSizes {
  const { label, a, b, bias, out, rows } = args;
  if (args.fp16 && !gpu.features.f16)
    throw new KernelError(
      'no-f16',
      `${label}: fp16 was asked for, and ${gpu.adapterName} has no shader-f16.`,
    );
  const [aRows, K] = matrixSizes(label, 'a', a, args.transposeA ?? false);
  const [bK, N] = matrixSizes(label, 'b', b, args.transposeB ?? false);
  expectF32(label, 'a', a);
  const bType = b.dtype;
  if (!isWeightDType(bType))
    throw new KernelError(
      'dtype',
      `${label}: b (${b.label}) is ${bType}, allowed are f32, f16 and bf16.`,
    );
  if (K !== bK)
    throw new KernelError(
      'shape',
      `${label}: a (${a.label}) has K = ${K} and b (${b.label}) has K = ${bK}; the inner sizes must be equal.`,
    );
  const M = rows?.total ?? aRows;
  if (rows) checkRows(label, rows, a, aRows, args.transposeA ?? false);
  const biasType = bias?.dtype ?? 'f32';
  if (!isWeightDType(biasType))
    throw new KernelError(
      'dtype',
      `${label}: bias (${bias?.label}) is ${biasType}, allowed are f32, f16 and bf16.`,
    );
  if (bias) {
    if (elementCount(bias.shape) !== N)
      throw new KernelError(
        'shape',
        `${label}: bias (${bias.label}) has shape [${bias.shape}], [${N}] is needed.`,
      );
  }
  if (args.accumulate && !out)
    throw new KernelError('shape', `${label}: accumulate needs an out to add to.`);
  if (out) checkOut(args, out, M, N);
  return { M, N, K, aRows, bType, biasType };
}

function checkOut(
  { label, a, b, bias, rows }: MatmulArgs,
  out: Tensor,
  M: number,
  N: number,
): void {
  expectF32(label, 'out', out);
  const needed = (rows?.outFirst ?? 0) + M;
  const tall = rows ? out.shape[0] >= needed : out.shape[0] === needed;
  if (out.shape.length !== 2 || out.shape[1] !== N || !tall)
    throw new KernelError(
      'shape',
      `${label}: out (${out.label}) has shape [${out.shape}], [${needed}, ${N}] is needed.`,
    );
  for (const operand of [a, b, bias])
    if (operand && rootOf(operand) === rootOf(out))
      throw new KernelError(
        'shape',
        `${label}: out (${out.label}) is also an operand; it needs memory of its own.`,
      );
}

function checkRows(
  label: string,
  rows: MatmulRows,
  a: Tensor,
  aRows: number,
  transposeA: boolean,
): void {
  const { count, countWord, total, aFirst = 0 } = rows;
  if (count.dtype !== 'u32')
    throw new KernelError(
      'dtype',
      `${label}: the row count (${count.label}) is ${count.dtype}, u32 is needed.`,
    );
  if (countWord >= elementCount(count.shape))
    throw new KernelError(
      'shape',
      `${label}: the row count (${count.label}) has no word ${countWord}.`,
    );
  if (transposeA)
    throw new KernelError('shape', `${label}: rows cannot be limited where a is transposed.`);
  if (aFirst + total > aRows)
    throw new KernelError(
      'shape',
      `${label}: rows ${aFirst} to ${aFirst + total} were asked of a (${a.label}), it has ${aRows}.`,
    );
}

/** Rows and columns of op(tensor). */
function matrixSizes(
  label: string,
  name: string,
  tensor: Tensor,
  transposed: boolean,
): [rows: number, columns: number] {
  const { shape } = tensor;
  if (shape.length !== 2 || shape[0] < 1 || shape[1] < 1)
    throw new KernelError(
      'shape',
      `${label}: ${name} (${tensor.label}) has shape [${shape}], a matrix of two sizes from 1 is needed.`,
    );
  return transposed ? [shape[1], shape[0]] : [shape[0], shape[1]];
}

function expectF32(label: string, name: string, tensor: Tensor): void {
  if (tensor.dtype !== 'f32')
    throw new KernelError(
      'dtype',
      `${label}: ${name} (${tensor.label}) is ${tensor.dtype}, f32 is needed.`,
    );
}
