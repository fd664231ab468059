/**
 * Prefix tuning's rows before each sequence: keys and values out of a learned table, zeros before queries,
 * whose results nobody reads. P rows of the prefix, B sequences of T rows, W columns.
 */
import { read, update, write, type PlanBuilder, type Tensor } from '../gpu';
import { foldGrid, matrixShape, requireCount, requireTensor } from './add-elementwise';
import { KernelError } from './errors';
import PREFIX_ROWS_WGSL from './prefix-rows.wgsl?raw';

const WORKGROUP = 64;

interface PrefixSizes {
  label: string;
  B: number;
  T: number;
  P: number;
}

/** Columns `offset` to `offset + W` of a learned table (P, any). */
export interface TableColumns {
  readonly table: Tensor;
  readonly offset: number;
}

/** @returns (B * (P + T), W): the table's columns, or zeros, before each sequence of x. @throws KernelError */
export function insertPrefix(
  plan: PlanBuilder,
  { label, x, B, T, P, columns }: PrefixSizes & { x: Tensor; columns?: TableColumns },
): Tensor {
  const where = `${label} (prefix-rows)`;
  const W = check(where, 'x', x, B * T, { B, T, P });
  if (columns) checkColumns(where, columns, P, W);
  const out = plan.tensor(`${label}/prefixed`, [B * (P + T), W]);
  plan.dispatch({
    label,
    kernel: { name: 'prefix-rows', wgsl: PREFIX_ROWS_WGSL, entryPoint: 'insert' },
    bindings: [read(x), read(columns?.table ?? x), write(out)],
    uniforms: [B * (P + T) * W, W, P, T, B, columns?.table.shape[1] ?? 0, columns?.offset ?? 0],
    grid: foldGrid(Math.ceil((B * (P + T) * W) / WORKGROUP)),
  });
  return out;
}

/** @param x (B * (P + T), W) @returns (B * T, W) without the prefix. @throws KernelError */
export function removePrefix(
  plan: PlanBuilder,
  { label, x, B, T, P }: PrefixSizes & { x: Tensor },
): Tensor {
  const W = check(`${label} (prefix-rows)`, 'x', x, B * (P + T), { B, T, P });
  const out = plan.tensor(`${label}/rest`, [B * T, W]);
  plan.dispatch({
    label,
    kernel: { name: 'prefix-rows', wgsl: PREFIX_ROWS_WGSL, entryPoint: 'remove' },
    bindings: [read(x), write(out)],
    uniforms: [B * T * W, W, P, T, B, 0, 0],
    grid: foldGrid(Math.ceil((B * T * W) / WORKGROUP)),
  });
  return out;
}

/** Adds the prefix rows of dX (B * (P + T), W), summed over the batch, to the columns. @throws KernelError */
export function prefixBackward(
  plan: PlanBuilder,
  { label, dX, B, T, P, columns }: PrefixSizes & { dX: Tensor; columns: TableColumns },
): void {
  const where = `${label} (prefix-rows)`;
  const W = check(where, 'dX', dX, B * (P + T), { B, T, P });
  checkColumns(where, columns, P, W);
  plan.dispatch({
    label: `${label} backward`,
    kernel: { name: 'prefix-rows', wgsl: PREFIX_ROWS_WGSL, entryPoint: 'gradient' },
    bindings: [read(dX), update(columns.table)],
    uniforms: [P * W, W, P, T, B, columns.table.shape[1], columns.offset],
    grid: foldGrid(Math.ceil((P * W) / WORKGROUP)),
  });
}

function check(
  where: string,
  name: string,
  x: Tensor,
  rows: number,
  counts: Record<string, number>,
): number {
  for (const [count, value] of Object.entries(counts)) requireCount(where, count, value);
  const [, W] = matrixShape(where, name, x);
  requireTensor(where, name, x, [rows, W]);
  return W;
}

function checkColumns(where: string, { table, offset }: TableColumns, P: number, W: number): void {
  const [rows, width] = matrixShape(where, 'table', table);
  requireTensor(where, 'table', table, [P, width]);
  if (rows !== P || offset < 0 || offset + W > width)
    throw new KernelError(
      'shape',
      `${where}: columns ${offset} to ${offset + W} of a table (${rows}, ${width}) are asked for.`,
    );
}
