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
  /** One contender after the other, each freed before the next: for models of which a few would fill the memory. */
  readonly alone?: boolean;
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
  effort: LoraEffort,
  watch: GpuWatch,
  say: (line: string) => void,
): Promise<Map<string, LoraFigures>> {
  const done: Running[] = [];
  const groups = effort.alone ? contenders.map((contender) => [contender]) : [contenders];
  const figures = new Map<string, LoraFigures>();
  for (const group of groups) {
    const running: Running[] = [];
    try {
      for (const contender of group) {
        const opened = await tryOpen(contender, problem, effort.compared, watch, say);
        if (opened) running.push(opened);
        else if (contender === contenders[0]) throw new Error('There is nothing to compare with.');
      }
      done.push(...running);
      refuseDifferent(done);
      for (const [name, found] of await timeSteps(running, problem, effort, watch))
        figures.set(name, found);
    } finally {
      for (const { stepper } of running) await stepper.dispose();
    }
  }
  return figures;
}

async function tryOpen(
  contender: Contender,
  problem: LoraProblem,
  compared: number,
  watch: GpuWatch,
  say: (line: string) => void,
): Promise<Running | undefined> {
  try {
    const opened = await open(contender, problem, compared, watch);
    const list = opened.losses.map((loss) => loss.toFixed(5)).join(' ');
    say(`${contender.name}: losses ${list}; first step ${Math.round(opened.firstMs)} ms`);
    return opened;
  } catch (error) {
    say(`${contender.name} cannot do it: ${(error as Error).message}`);
    return undefined;
  }
}

/** In rounds, then one more step of each that is only counted. */
async function timeSteps(
  running: readonly Running[],
  { batches, config }: LoraProblem,
  { compared, rounds, steps }: LoraEffort,
  watch: GpuWatch,
): Promise<Map<string, LoraFigures>> {
  const batchOf = (step: number) => batches[step % batches.length];
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
