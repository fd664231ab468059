/** A Hugging Face model folder on disk, opened for the commands. */
import { join } from 'node:path';
import { parseModelConfig, type ModelConfig } from '$lib/config';
import { adaptedModel, openCheckpoint, type OpenedCheckpoint } from '$lib/decoder';
import {
  ADAPTER_CONFIG_FILE,
  ADAPTER_WEIGHTS_FILE,
  readAdapter,
  type LoadedAdapter,
} from '$lib/peft';
import { openFolder, readBytes, readText } from './disk';

/** Files of a model folder that go along unchanged when its weights are written anew. */
export const COMPANION_FILES = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
  'vocab.json',
  'merges.txt',
  'added_tokens.json',
];

export interface ModelFolder {
  /** As it was given. */
  readonly path: string;
  readonly config: ModelConfig;
  readonly checkpoint: OpenedCheckpoint;
}

export async function openModelFolder(path: string): Promise<ModelFolder> {
  const folder = await openFolder(path);
  const config = parseModelConfig(await readText(join(path, 'config.json')));
  const checkpoint = await openCheckpoint(folder);
  return { path, config, checkpoint };
}

export async function openAdapterFolder(path: string, config: ModelConfig): Promise<LoadedAdapter> {
  const configJson = await readText(join(path, ADAPTER_CONFIG_FILE));
  const weights = await readBytes(join(path, ADAPTER_WEIGHTS_FILE));
  return readAdapter({ configJson, weights }, adaptedModel(config));
}
