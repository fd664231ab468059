/** Times contenders against each other in rounds, so that a busy moment of the machine hits all alike. */
import type { Contender, LoraProblem, LoraStepper, Operands, Repeat } from './contender';

export interface MatmulFigures {
  /** 10^9 operations a second, of the best round. */
  gflops: number;
}

export interface LoraFigures {
  /** Of the median step. */
  tokensPerSecond: number;
  /** First step less the fastest one: plans, pipelines, tracing. */
  compileSeconds: number;
  /** Of the first steps, all contenders alike. */
  losses: number[];
}

/** Operations of one timing: enough that a submission's own cost does not count. */
const OPERATIONS_A_TIMING = 1e9;
const MATMUL_ROUNDS = 5;
const LORA_ROUNDS = 4;
const STEPS_A_ROUND = 5;
/** Steps whose losses are compared; they also warm up. */
const COMPARED_STEPS = 4;
/** f32 sums in another order. */
export const LOSS_TOLERANCE = 1e-3;

export async function measureMatmul(
  contenders: readonly Contender[],
  [m, k, n]: readonly [number, number, number],
): Promise<Map<string, MatmulFigures>> {
  const operands: Operands = {
    a: Float32Array.from({ length: m * k }, (_, i) => ((i * 37) % 101) / 101 - 0.5),
    b: Float32Array.from({ length: k * n }, (_, i) => ((i * 53) % 103) / 103 - 0.5),
  };
  const operations = 2 * m * k * n;
  const repeats = Math.max(1, Math.round(OPERATIONS_A_TIMING / operations));
  const runs = new Map<string, Repeat>();
  for (const contender of contenders) {
    const run = await contender.matmul(m, k, n, operands);
    await run(1);
    runs.set(contender.name, run);
  }
  const figures = new Map<string, MatmulFigures>();
  for (let round = 0; round < MATMUL_ROUNDS; round++)
    for (const [name, run] of runs) {
      const ms = await elapsed(() => run(repeats));
      const gflops = (operations * repeats) / ms / 1e6;
      figures.set(name, { gflops: Math.max(gflops, figures.get(name)?.gflops ?? 0) });
    }
  return figures;
}

/** @throws Error when the losses of the contenders differ */
export async function measureLora(
  contenders: readonly Contender[],
  problem: LoraProblem,
  say: (line: string) => void,
): Promise<Map<string, LoraFigures>> {
  const { batches, config } = problem;
  const steppers = new Map<string, LoraStepper>();
  const losses = new Map<string, number[]>();
  const firstMs = new Map<string, number>();
  const times = new Map<string, number[]>();
  for (const contender of contenders) {
    const found: number[] = [];
    let stepper: LoraStepper | undefined;
    const ms = await elapsed(async () => {
      stepper = await contender.loraStep(problem);
      found.push(await stepper.step(batches[0]));
    });
    for (let step = 1; step < COMPARED_STEPS; step++)
      found.push(await stepper!.step(batches[step % batches.length]));
    steppers.set(contender.name, stepper!);
    firstMs.set(contender.name, ms);
    losses.set(contender.name, found);
    times.set(contender.name, []);
    say(`${contender.name}: losses ${found.map((loss) => loss.toFixed(5)).join(' ')}`);
  }
  refuseDifferent(losses);
  for (let round = 0; round < LORA_ROUNDS; round++)
    for (const [name, stepper] of steppers)
      for (let i = 0; i < STEPS_A_ROUND; i++) {
        const step = COMPARED_STEPS + round * STEPS_A_ROUND + i;
        const batch = batches[step % batches.length];
        times.get(name)?.push(await elapsed(() => stepper.step(batch)));
      }
  return new Map(
    contenders.map(({ name }) => {
      const stepMs = median(times.get(name) ?? []);
      return [
        name,
        {
          tokensPerSecond: (config.B * config.T * 1000) / stepMs,
          compileSeconds: ((firstMs.get(name) ?? 0) - Math.min(...(times.get(name) ?? []))) / 1000,
          losses: losses.get(name) ?? [],
        },
      ];
    }),
  );
}

function refuseDifferent(losses: ReadonlyMap<string, readonly number[]>): void {
  const [[reference, expected], ...others] = [...losses];
  for (const [name, found] of others)
    found.forEach((loss, step) => {
      if (!(Math.abs(loss - expected[step]) <= LOSS_TOLERANCE * Math.abs(expected[step])))
        throw new Error(
          `Step ${step + 1}: the loss of ${name} is ${loss}, that of ${reference} ${expected[step]}. They do not compute the same, so their speeds are not compared.`,
        );
    });
}

async function elapsed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
