/**
 * Loss and token accuracy over the rows held back, in the middle of a run: plans without gradients in the run's own
 * arena. Nothing that training reads is written but what each step writes anew, so a run with
 * evaluations ends in the same bits as one without.
 */
import type { Gpu } from '../gpu';
import { ReadbackRing } from '../gpu';
import { chunk, collate, paddedLength, type TokenRow } from './batches';
import type { StepPlans } from './step-plans';
import type { EvalMetrics } from './trainer-state';

/** Batches whose losses are not read yet. */
const UNDER_WAY = 2;

const ZERO = new Uint32Array(1);

/** Over the targets of one batch. */
interface Found {
  readonly loss: number;
  readonly correct: number;
}

export class Evaluation {
  private readonly ring: ReadbackRing;

  constructor(
    private readonly gpu: Gpu,
    private readonly plans: StepPlans,
    private readonly rows: readonly TokenRow[],
    private readonly batchSize: number,
  ) {
    this.ring = new ReadbackRing(gpu, [plans.total, plans.correct], UNDER_WAY + 1);
  }

  /** Compiles the largest plan. @throws GpuError `out-of-memory`, `limit` */
  async prepare(): Promise<void> {
    const B = Math.min(this.batchSize, this.rows.length);
    await this.plans.planFor({ B, T: paddedLength(this.rows) }, false);
  }

  /**
   * As the Trainer's `evaluation_loop` computes `eval_loss`: the mean over the targets of each batch,
   * averaged with the batch's rows as weights. A batch without targets, of which the Trainer would
   * make NaN, is left out. The accuracy is the share of all targets, whatever batch they are in; TRL averages the
   * shares of batches, which is the same where these have equally many targets.
   * @returns undefined when the signal has aborted
   * @throws GpuError
   */
  async measure(signal?: AbortSignal): Promise<EvalMetrics | undefined> {
    await this.plans.submitPreparation();
    const parts: { rows: number; targets: number; reading: Promise<Found> }[] = [];
    for (const batchRows of chunk(this.rows, this.batchSize)) {
      if (signal?.aborted) break;
      const batch = collate(batchRows);
      if (batch.targetCount === 0) continue;
      const plan = await this.plans.planFor(batch, false);
      this.gpu.upload(this.plans.total, ZERO);
      this.gpu.upload(this.plans.correct, ZERO);
      const accepted = plan.submit(batch, {
        dropoutSeed: 0,
        targetCount: batch.targetCount,
        lossScale: 0,
        learningRate: 0,
        biasCorrection1: 0,
        biasCorrection2: 0,
      });
      const reading = Promise.all([this.ring.read(), accepted]).then(([values]) => ({
        loss: values[0] / batch.targetCount,
        correct: new Uint32Array(values.buffer)[1],
      }));
      // Whoever awaits it is told; until then a failure is not unheard of.
      reading.catch(() => undefined);
      parts.push({ rows: batchRows.length, targets: batch.targetCount, reading });
      await parts.at(-UNDER_WAY)?.reading;
    }
    let sum = 0;
    let rowCount = 0;
    let correctCount = 0;
    let targetCount = 0;
    for (const { rows, targets, reading } of parts) {
      const { loss, correct } = await reading;
      sum += rows * loss;
      rowCount += rows;
      correctCount += correct;
      targetCount += targets;
    }
    if (signal?.aborted) return undefined;
    return { eval_loss: sum / rowCount, eval_mean_token_accuracy: correctCount / targetCount };
  }

  dispose(): void {
    this.ring.dispose();
  }
}
