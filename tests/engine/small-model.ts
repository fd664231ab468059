/** The smallest reference model as files that a person would drop, and rows of tokens to train it on. */
import { readFileSync } from 'node:fs';
import { COMMON_RECIPE } from '$lib/config';
import type { EngineApi, TrainRequest } from '$lib/rpc/engine-api';
import { goldenPath, readJson } from '../goldens';

const MODEL = 'models/llama-tied';

export const silent = () => ({ signal: new AbortController().signal, progress: () => {} });

/** One word a token: the rows come as ids, so nothing is ever split. */
function tokenizerFile(): File {
  const { vocab_size: size } = readJson<{ vocab_size: number }>(`${MODEL}/config.json`);
  const vocab = Object.fromEntries(Array.from({ length: size }, (_, id) => [`t${id}`, id]));
  const model = { type: 'WordPiece', unk_token: 't0', continuing_subword_prefix: '', vocab };
  return new File([JSON.stringify({ added_tokens: [], model })], 'tokenizer.json');
}

export async function importSmallModel(engine: EngineApi): Promise<string> {
  const files = ['config.json', 'generation_config.json', 'model.safetensors'].map(
    (name) => new File([readFileSync(goldenPath(`${MODEL}/${name}`))], name),
  );
  const input = { files: [...files, tokenizerFile()], name: 'small' };
  return (await engine.importModel(input, silent())).id;
}

/** Ten rows of 6 to 14 tokens. */
export async function importTokenRows(engine: EngineApi): Promise<string> {
  const rows = Array.from({ length: 10 }, (_, i) => {
    const ids = Array.from({ length: 6 + ((i * 5) % 9) }, (_, t) => (i * 31 + t * 17) % 97);
    return { input_ids: ids, labels: ids };
  });
  const file = new File([JSON.stringify(rows)], 'rows.json');
  return (await engine.importDataset({ file }, silent())).dataset!.id;
}

/** Dropout, shuffling, accumulation and a schedule: all that a resumed run could get wrong. */
export function smallRun(
  modelId: string,
  datasetId: string,
  training: Partial<TrainRequest['training']> = {},
): TrainRequest {
  return {
    modelId,
    datasetId,
    evalShare: 0,
    peft: { ...COMMON_RECIPE.lora, r: 3, lora_alpha: 6, lora_dropout: 0.2 },
    training: {
      ...COMMON_RECIPE.training,
      learning_rate: 0.01,
      weight_decay: 0.01,
      warmup_steps: 2,
      per_device_train_batch_size: 2,
      gradient_accumulation_steps: 2,
      logging_steps: 2,
      num_train_epochs: 3,
      shuffle: true,
      ...training,
    },
    samplePrompts: [],
    name: 'a run',
  };
}
