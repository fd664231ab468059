/**
 * The smallest reference model as files that a person would drop, rows of tokens, and a short run of the one on
 * the other. Knows neither Node nor a page, so that both can be given them.
 */
import { COMMON_RECIPE } from '$lib/config';
import type { TrainRequest } from '$lib/rpc/engine-api';

/** Folder under tests/reference/goldens. */
export const SMALL_MODEL = 'models/llama-tied';

export const silent = () => ({ signal: new AbortController().signal, progress: () => {} });

/** @param read a file of the model's folder */
export async function smallModelFiles(
  read: (name: string) => Promise<Uint8Array<ArrayBuffer>>,
): Promise<File[]> {
  const names = ['config.json', 'generation_config.json', 'model.safetensors'];
  const contents = await Promise.all(names.map(read));
  const config = JSON.parse(new TextDecoder().decode(contents[0])) as { vocab_size: number };
  const files = names.map((name, i) => new File([contents[i]], name));
  return [...files, tokenizerFile(config.vocab_size)];
}

/** One word a token: the rows come as ids, so nothing is ever split. */
function tokenizerFile(size: number): File {
  const vocab = Object.fromEntries(Array.from({ length: size }, (_, id) => [`t${id}`, id]));
  const model = { type: 'WordPiece', unk_token: 't0', continuing_subword_prefix: '', vocab };
  return new File([JSON.stringify({ added_tokens: [], model })], 'tokenizer.json');
}

/** Ten rows of 6 to 14 tokens. */
export function tokenRowsFile(): File {
  const rows = Array.from({ length: 10 }, (_, i) => {
    const ids = Array.from({ length: 6 + ((i * 5) % 9) }, (_, t) => (i * 31 + t * 17) % 97);
    return { input_ids: ids, labels: ids };
  });
  return new File([JSON.stringify(rows)], 'rows.json');
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
