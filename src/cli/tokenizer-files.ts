/** The tokenizer of a model folder on disk. */
import { join } from 'node:path';
import { loadTokenizer, type Tokenizer } from '$lib/text';
import { readText } from './disk';

export async function openTokenizer(path: string): Promise<Tokenizer> {
  return loadTokenizer({
    tokenizerJson: await readText(join(path, 'tokenizer.json')),
    tokenizerConfig: await readText(join(path, 'tokenizer_config.json')),
  });
}
