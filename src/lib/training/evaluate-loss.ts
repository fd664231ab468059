/** Mean loss, perplexity and token accuracy over rows, with the same plans as training but without gradients. */
import type { ModelConfig } from '../config';
import { prefixLength, type Adapter, type ModelWeights } from '../decoder';
import type { Gpu } from '../gpu';
import { checkRows, chunk, collate, countTargets, paddedLength, type TokenRow } from './batches';
import { StepPlans } from './step-plans';

export interface LossReport {
  /** Mean over all targets, natural logarithm. */
  loss: number;
  perplexity: number;
  /** Share of all targets whose logit is the largest; of equal ones the lowest token's counts. */
  meanTokenAccuracy: number;
  targetCount: number;
  rowCount: number;
}

export interface EvaluateLossOptions {
  gpu: Gpu;
  config: ModelConfig;
  weights: ModelWeights;
  adapter: Adapter;
  rows: readonly TokenRow[];
  batchSize: number;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

/** @throws TrainingError for rows that cannot be read; AbortError */
export async function evaluateLoss(options: EvaluateLossOptions): Promise<LossReport> {
  const { gpu, config, weights, adapter, rows, batchSize, signal, onProgress } = options;
  const positions = config.maxPositionEmbeddings - prefixLength(adapter.prefix);
  checkRows(rows, config.vocabSize, positions);
  const maxLength = paddedLength(rows);
  const plans = new StepPlans({ gpu, config, weights, adapter, maxLength, training: false });
  try {
    await plans.planFor({ B: Math.min(batchSize, rows.length), T: maxLength });
    await plans.prepare();
    await plans.submitPreparation();
    let done = 0;
    for (const batchRows of chunk(rows, batchSize)) {
      signal?.throwIfAborted();
      const batch = collate(batchRows);
      const plan = await plans.planFor(batch);
      await plan.submit(batch, {
        dropoutSeed: 0,
        targetCount: batch.targetCount,
        lossScale: 0,
        learningRate: 0,
        biasCorrection1: 0,
        biasCorrection2: 0,
      });
      done += batchRows.length;
      onProgress?.(done, rows.length);
    }
    const targetCount = rows.reduce((sum, row) => sum + countTargets(row), 0);
    const [total] = await gpu.readFloats(plans.total);
    const [correct] = new Uint32Array(await gpu.readBytes(plans.correct));
    const loss = total / targetCount;
    return {
      loss,
      perplexity: Math.exp(loss),
      meanTokenAccuracy: correct / targetCount,
      targetCount,
      rowCount: rows.length,
    };
  } finally {
    plans.dispose();
  }
}
