/** The time that is told before a run against the time that the run takes: a run as the page offers it. */
import type { LoraConfig, ModelConfig, TrainingArguments } from '$lib/config';
import { DEFAULT_LORA_CONFIG, DEFAULT_TRAINING_ARGUMENTS } from '$lib/config';
import { ModelWeights } from '$lib/decoder';
import type { Gpu } from '$lib/gpu';
import { measureRates, runLoad, runTime, Trainer, type TokenRow } from '$lib/training';

const ROWS = 64;
const STEPS = 7;
/** Lengths of the rows go from here to half as much more. */
const SHORTEST = 64;

export interface TimeFigures {
  predictedSeconds: number;
  /** Of the median step. */
  measuredSeconds: number;
}

export async function measureTime(gpu: Gpu, config: ModelConfig): Promise<TimeFigures> {
  const weights = ModelWeights.outline(gpu, config, () => 'f32');
  const peft: LoraConfig = { ...DEFAULT_LORA_CONFIG, r: 16, lora_alpha: 32, lora_dropout: 0.05 };
  const args: TrainingArguments = {
    ...DEFAULT_TRAINING_ARGUMENTS,
    per_device_train_batch_size: 4,
    gradient_accumulation_steps: 4,
    max_steps: STEPS,
    save_strategy: 'no',
  };
  const rows: TokenRow[] = Array.from({ length: ROWS }, (_, row) => {
    const inputIds = Int32Array.from(
      { length: SHORTEST + (row % (SHORTEST / 2)) },
      (_, t) => (t * 7 + row) % config.vocabSize,
    );
    return { inputIds, labels: inputIds };
  });
  const load = runLoad(rows, [], args, SHORTEST * 2);
  const rates = await measureRates({ gpu, config, weights, peft, args, load });
  if (!rates) throw new Error('The model is too large to be measured ahead.');
  const trainer = await Trainer.create({ gpu, config, weights, peft, args, rows });
  const times: number[] = [];
  await trainer.run({ onStep: ({ elapsedMs }) => times.push(elapsedMs) });
  trainer.dispose();
  weights.dispose();
  return {
    predictedSeconds: runTime(load, rates).secondsPerStep,
    measuredSeconds: times.sort((a, b) => a - b)[times.length >> 1] / 1000,
  };
}
