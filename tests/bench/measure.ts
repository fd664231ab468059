/**
 * Times contenders against each other in rounds, so that a busy moment of the machine hits all alike. On a
 * software adapter the processor is the GPU, and the time that this process was given on it says what the clock
 * would on a quiet machine, whatever else runs; waiting for a straggling thread it does not see.
 */
import { availableParallelism } from 'node:os';
import type { Contender, Operands, Repeat } from './contender';

/** Something that does a known number of operations, as often as asked. */
export interface Rated {
  /** Of one repeat. */
  readonly operations: number;
  readonly run: Repeat;
  readonly dispose?: () => void;
}

/** Of one timing, whichever is more: enough that a submission's own cost does not count. */
const TIMING_MS = 50;
const TIMING_OPERATIONS = 1e9;
const RATE_ROUNDS = 15;

export interface Rates {
  /** 10^9 operations a second by the clock, of the best round. */
  gflops: number;
  /** The same by processor time, as if all processors had been given, of the median round: it is sampled roughly. */
  processorGflops: number;
}

export async function measureRates(
  contenders: ReadonlyMap<string, Rated>,
): Promise<Map<string, Rates>> {
  const repeats = new Map<string, number>();
  const rates = new Map<string, Rates>();
  const processor = new Map<string, number[]>();
  for (const [name, { run, operations }] of contenders) {
    await run(1);
    const { ms } = await elapsed(() => run(1));
    repeats.set(name, Math.ceil(Math.max(TIMING_MS / ms, TIMING_OPERATIONS / operations)));
    rates.set(name, { gflops: 0, processorGflops: 0 });
    processor.set(name, []);
  }
  for (let round = 0; round < RATE_ROUNDS; round++)
    for (const [name, { run, operations }] of contenders) {
      const count = repeats.get(name)!;
      const { ms, processorMs } = await elapsed(() => run(count));
      const best = rates.get(name)!;
      const billions = (operations * count) / 1e6;
      best.gflops = Math.max(best.gflops, billions / ms);
      processor.get(name)!.push(billions / processorMs);
    }
  for (const [name, found] of processor) rates.get(name)!.processorGflops = median(found);
  return rates;
}

/** The same product by each contender. */
export async function openMatmuls(
  contenders: readonly Contender[],
  [m, k, n]: readonly [number, number, number],
): Promise<Map<string, Rated>> {
  const operands: Operands = {
    a: Float32Array.from({ length: m * k }, (_, i) => ((i * 37) % 101) / 101 - 0.5),
    b: Float32Array.from({ length: k * n }, (_, i) => ((i * 53) % 103) / 103 - 0.5),
  };
  const runs = new Map<string, Rated>();
  for (const contender of contenders)
    if (contender.matmul)
      runs.set(contender.name, {
        operations: 2 * m * k * n,
        run: await contender.matmul(m, k, n, operands),
      });
  return runs;
}

export async function elapsed(
  work: () => Promise<unknown>,
): Promise<{ ms: number; processorMs: number }> {
  const before = process.cpuUsage();
  const start = performance.now();
  await work();
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(before);
  return { ms, processorMs: (user + system) / 1000 / availableParallelism() };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
