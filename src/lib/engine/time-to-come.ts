/**
 * How long a run will still take: its steps, the evaluations and the rounds of sample answers before it, each as
 * long as it usually took so far. What was not measured yet is not guessed.
 */
import { evaluatesItself, type TrainingArguments } from '../config';
import { dueAfter, type RunShape } from '../training';
import { UsualTime } from './work-clock';

/** Questions are asked this many times in a run, and at its start. */
const SAMPLE_ROUNDS = 6;
/** Answers may take this share of a run's time; where the GPU is slow they come less often. */
export const SAMPLE_TIME_SHARE = 0.2;

/**
 * Whether questions are asked after a step, if there is time for it. After the last one there always is.
 * @param every steps, where a person has said so; 0 leaves it to the length of the run
 */
export const isSampleStep = (step: number, totalSteps: number, every = 0): boolean =>
  step === totalSteps ||
  step % (every > 0 ? every : Math.max(1, Math.ceil(totalSteps / SAMPLE_ROUNDS))) === 0;

/** Counts what is still due, as a run moves on. */
class Remaining {
  private count = 0;
  private at = 1;

  constructor(
    private readonly isDue: (step: number) => boolean,
    totalSteps: number,
  ) {
    for (let step = 1; step <= totalSteps; step++) if (isDue(step)) this.count++;
  }

  /** @param step this one included; never smaller than the one before */
  from(step: number): number {
    for (; this.at < step; this.at++) if (this.isDue(this.at)) this.count--;
    return this.count;
  }
}

export class TimeToCome {
  private readonly evaluation = new UsualTime();
  private readonly round = new UsualTime();
  private readonly totalSteps: number;
  private readonly evaluations: Remaining;
  private readonly rounds: Remaining;

  /** @param sampleEvery see isSampleStep; answers that were asked for so give way to nothing */
  constructor(
    args: TrainingArguments,
    shape: RunShape,
    private readonly sampleEvery = 0,
  ) {
    const { totalSteps } = shape;
    const evaluates = evaluatesItself(args);
    this.totalSteps = totalSteps;
    this.evaluations = new Remaining(
      (step) => evaluates && dueAfter(step, args, shape).evaluate,
      totalSteps,
    );
    this.rounds = new Remaining((step) => isSampleStep(step, totalSteps, sampleEvery), totalSteps);
  }

  evaluated(elapsedMs: number): void {
    this.evaluation.add(elapsedMs);
  }

  /** A round of sample answers. */
  answered(elapsedMs: number): void {
    this.round.add(elapsedMs);
  }

  /** @param step done just now: its own evaluation and answers are still to come */
  msAfter(step: number, stepMs: number): number {
    const learnedMs =
      (this.totalSteps - step) * stepMs + this.evaluations.from(step) * this.evaluation.ms;
    const rounds = this.rounds.from(step);
    if (rounds === 0) return learnedMs;
    // All but the last give way where they would take more than their share.
    const allowedMs = (learnedMs * SAMPLE_TIME_SHARE) / (1 - SAMPLE_TIME_SHARE);
    const roundMs = this.round.ms;
    if (this.sampleEvery > 0) return learnedMs + rounds * roundMs;
    return learnedMs + Math.min((rounds - 1) * roundMs, allowedMs) + roundMs;
  }
}
