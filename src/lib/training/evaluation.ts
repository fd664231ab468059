/**
 * The loss over the rows held back, in the middle of a run: plans without gradients in the run's own
 * arena. Nothing that training reads is written but what each step writes anew, so a run with
 * evaluations ends in the same bits as one without.
 */
import type { Gpu } from '../gpu';
import { ReadbackRing } from '../gpu';
import { chunk, collate, paddedLength, type TokenRow } from './batches';
import type { StepPlans } from './step-plans';

/** Batches whose losses are not read yet. */
const UNDER_WAY = 2;

const ZERO = new Float32Array(1);

export class Evaluation {
  private readonly ring: ReadbackRing;

  constructor(
    private readonly gpu: Gpu,
    private readonly plans: StepPlans,
    private readonly rows: readonly TokenRow[],
    private readonly batchSize: number,
  ) {
    this.ring = new ReadbackRing(gpu, [plans.total], UNDER_WAY + 1);
  }

  /** Compiles the largest plan. @throws GpuError `out-of-memory`, `limit` */
  async prepare(): Promise<void> {
    const B = Math.min(this.batchSize, this.rows.length);
    await this.plans.planFor({ B, T: paddedLength(this.rows) }, false);
  }

  /**
   * As the Trainer's `evaluation_loop` computes `eval_loss`: the mean over the targets of each batch,
   * averaged with the batch's rows as weights. A batch without targets, of which the Trainer would
   * make NaN, is left out.
   * @returns undefined when the signal has aborted
   * @throws GpuError
   */
  async loss(signal?: AbortSignal): Promise<number | undefined> {
    await this.plans.submitPreparation();
    const parts: { rows: number; reading: Promise<number> }[] = [];
    for (const batchRows of chunk(this.rows, this.batchSize)) {
      if (signal?.aborted) break;
      const batch = collate(batchRows);
      if (batch.targetCount === 0) continue;
      const plan = await this.plans.planFor(batch, false);
      this.gpu.upload(this.plans.total, ZERO);
      const accepted = plan.submit(batch, {
        dropoutSeed: 0,
        targetCount: batch.targetCount,
        lossScale: 0,
        learningRate: 0,
        biasCorrection1: 0,
        biasCorrection2: 0,
      });
      const reading = Promise.all([this.ring.read(), accepted]).then(
        ([[total]]) => total / batch.targetCount,
      );
      // Whoever awaits it is told; until then a failure is not unheard of.
      reading.catch(() => undefined);
      parts.push({ rows: batchRows.length, reading });
      await parts.at(-UNDER_WAY)?.reading;
    }
    let sum = 0;
    let rowCount = 0;
    for (const { rows, reading } of parts) {
      sum += rows * (await reading);
      rowCount += rows;
    }
    return signal?.aborted ? undefined : sum / rowCount;
  }

  dispose(): void {
    this.ring.dispose();
  }
}
