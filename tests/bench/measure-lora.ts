/** Times the LoRA steps of all contenders in rounds, after their losses were found equal, and counts what one step asks of the GPU. */
import type { Contender, LoraStepper } from './contender';
import type { GpuWatch, GpuWork } from './gpu-watch';
import type { LoraProblem } from './lora-problem';
import { elapsed, median } from './measure';

/** How long a model is measured. */
export interface LoraEffort {
  /** Steps whose losses are compared; they also warm up. */
  readonly compared: number;
  readonly rounds: number;
  /** Of one contender in a round. */
  readonly steps: number;
}

export interface LoraFigures {
  /** Of the median step. */
  tokensPerSecond: number;
  /** The same by processor time. */
  processorTokensPerSecond: number;
  /** First step less the fastest one: plans, pipelines, tracing. */
  compileSeconds: number;
  /** GPU buffers that it had at once, beyond those of before. */
  peakBytes: number;
  work: GpuWork;
}

/** f32 sums in another order. */
const LOSS_TOLERANCE = 1e-3;

interface Running {
  readonly name: string;
  readonly stepper: LoraStepper;
  readonly losses: readonly number[];
  readonly firstMs: number;
  readonly peakBytes: number;
  readonly ms: number[];
  readonly processorMs: number[];
}

/**
 * @returns figures by contender; one that cannot do it is named with its reason and left out
 * @throws Error when the losses of the contenders differ, or when ours cannot do it
 */
export async function measureLora(
  contenders: readonly Contender[],
  problem: LoraProblem,
  { compared, rounds, steps }: LoraEffort,
  watch: GpuWatch,
  say: (line: string) => void,
): Promise<Map<string, LoraFigures>> {
  const { batches, config } = problem;
  const batchOf = (step: number) => batches[step % batches.length];
  const running: Running[] = [];
  for (const contender of contenders) {
    try {
      const opened = await open(contender, problem, compared, watch);
      running.push(opened);
      const list = opened.losses.map((loss) => loss.toFixed(5)).join(' ');
      say(`${contender.name}: losses ${list}; first step ${Math.round(opened.firstMs)} ms`);
    } catch (error) {
      if (running.length === 0) throw error;
      say(`${contender.name} cannot do it: ${(error as Error).message}`);
    }
  }
  try {
    refuseDifferent(running);
    for (let round = 0; round < rounds; round++)
      for (const { stepper, ms, processorMs } of running)
        for (let i = 0; i < steps; i++) {
          const batch = batchOf(compared + round * steps + i);
          const found = await elapsed(() => stepper.step(batch));
          ms.push(found.ms);
          processorMs.push(found.processorMs);
        }
    const figures = new Map<string, LoraFigures>();
    for (const { name, stepper, ms, processorMs, firstMs, peakBytes } of running) {
      const rateOf = (times: readonly number[]) => (config.B * config.T * 1000) / median(times);
      const work = await watch.count(() => stepper.step(batchOf(compared + rounds * steps)));
      figures.set(name, {
        tokensPerSecond: rateOf(ms),
        processorTokensPerSecond: rateOf(processorMs),
        compileSeconds: (firstMs - Math.min(...ms)) / 1000,
        ...{ peakBytes, work },
      });
    }
    return figures;
  } finally {
    for (const { stepper } of running) await stepper.dispose();
  }
}

async function open(
  contender: Contender,
  problem: LoraProblem,
  compared: number,
  watch: GpuWatch,
): Promise<Running> {
  const { batches } = problem;
  const losses: number[] = [];
  let stepper: LoraStepper | undefined;
  let firstMs = 0;
  const { peakBytes } = await watch.highWater(async () => {
    const first = await elapsed(async () => {
      stepper = await contender.loraStep(problem);
      losses.push(await stepper.step(batches[0]));
    });
    firstMs = first.ms;
    for (let step = 1; step < compared; step++)
      losses.push(await stepper!.step(batches[step % batches.length]));
  });
  const { name } = contender;
  return { name, stepper: stepper!, losses, firstMs, peakBytes, ms: [], processorMs: [] };
}

function refuseDifferent([first, ...others]: readonly Running[]): void {
  for (const { name, losses } of others)
    losses.forEach((loss, step) => {
      const expected = first.losses[step];
      if (!(Math.abs(loss - expected) <= LOSS_TOLERANCE * Math.abs(expected)))
        throw new Error(
          `Step ${step + 1}: the loss of ${name} is ${loss}, that of ${first.name} ${expected}. They do not compute the same, so their speeds are not compared.`,
        );
    });
}
