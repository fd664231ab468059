/** A model folder, wherever it lies, read into what the rooms need: config, tokenizer, tensors. */
import { parseJsonObject, parseModelConfig, type JsonObject, type ModelConfig } from '../config';
import {
  countParameters,
  openCheckpoint,
  parameterShapes,
  type FolderAccess,
  type OpenedCheckpoint,
} from '../decoder';
import type { FileStore } from '../storage';
import { loadTokenizer, type Tokenizer } from '../text';
import { EngineError } from './errors';

export const COMPANION_FILES = [
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
  'README.md',
] as const;

export interface ModelFolder {
  readonly config: ModelConfig;
  readonly rawConfig: JsonObject;
  readonly generationConfig: JsonObject | undefined;
  readonly tokenizer: Tokenizer;
  readonly checkpoint: OpenedCheckpoint;
  /** Small files beside the weights, by name. */
  readonly companions: ReadonlyMap<string, Uint8Array>;
  readonly parameterCount: number;
}

/** @throws ConfigError, TextError, FormatError, DecoderError, EngineError naming the file */
export async function readModelFolder(folder: FolderAccess): Promise<ModelFolder> {
  const names = await folder.list();
  const bytesOf = async (name: string) => folder.readRange(name, 0, await folder.sizeBytes(name));
  if (!names.includes('config.json'))
    throw new EngineError(
      'bad-files',
      `There is no config.json among ${names.slice(0, 8).join(', ') || 'the files'}. Give the whole model folder as it was published.`,
      { details: { found: names.slice(0, 8).join(', ') } },
    );
  if (!names.includes('tokenizer.json'))
    throw new EngineError(
      'bad-files',
      'There is no tokenizer.json in the folder. Give the whole model folder as it was published.',
      { details: { found: names.slice(0, 8).join(', ') } },
    );
  const companions = new Map<string, Uint8Array>();
  for (const name of COMPANION_FILES)
    if (names.includes(name)) companions.set(name, await bytesOf(name));
  const text = (name: string) => {
    const bytes = companions.get(name);
    return bytes && new TextDecoder().decode(bytes);
  };
  const configText = new TextDecoder().decode(await bytesOf('config.json'));
  const config = parseModelConfig(configText);
  const generation = text('generation_config.json');
  return {
    config,
    rawConfig: parseJsonObject(configText, 'config.json'),
    generationConfig: generation
      ? parseJsonObject(generation, 'generation_config.json')
      : undefined,
    tokenizer: loadTokenizer({
      tokenizerJson: text('tokenizer.json'),
      tokenizerConfig: text('tokenizer_config.json'),
      chatTemplate: text('chat_template.jinja'),
    }),
    checkpoint: await openCheckpoint(folder),
    companions,
    parameterCount: countParameters(config),
  };
}

/** Refuses a checkpoint that lacks a tensor, before anything is copied or uploaded. */
export async function checkComplete({ config, checkpoint }: ModelFolder): Promise<void> {
  const present = new Set(checkpoint.names);
  const missing = parameterShapes(config).find(({ name }) => !present.has(name));
  if (missing)
    throw new EngineError(
      'bad-files',
      `The weights have no tensor ${missing.name}, which config.json asks for. Give all files of the model as they were published.`,
      { details: { found: missing.name } },
    );
}

/** A folder of the device's file store. */
export class StoredFolder implements FolderAccess {
  constructor(
    private readonly files: FileStore,
    private readonly prefix: string,
  ) {}

  async list(): Promise<readonly string[]> {
    const entries = await this.files.list(this.prefix);
    return entries.map(({ path }) => path.slice(this.prefix.length + 1));
  }

  async sizeBytes(name: string): Promise<number> {
    return (await this.files.readFile(`${this.prefix}/${name}`)).size;
  }

  readRange(name: string, begin: number, end: number): Promise<Uint8Array> {
    return this.files.readRange(`${this.prefix}/${name}`, begin, end);
  }
}

/** Files that a person dropped or picked; folders in front of their names are ignored. */
export class DroppedFolder implements FolderAccess {
  private readonly byName: ReadonlyMap<string, Blob>;

  constructor(files: ReadonlyMap<string, Blob>) {
    this.byName = new Map(
      [...files].map(([path, blob]) => [path.slice(path.lastIndexOf('/') + 1), blob]),
    );
  }

  async list(): Promise<readonly string[]> {
    return [...this.byName.keys()];
  }

  async sizeBytes(name: string): Promise<number> {
    return this.blob(name).size;
  }

  async readRange(name: string, begin: number, end: number): Promise<Uint8Array> {
    return new Uint8Array(await this.blob(name).slice(begin, end).arrayBuffer());
  }

  private blob(name: string): Blob {
    const blob = this.byName.get(name);
    if (!blob)
      throw new EngineError('bad-files', `${name} is not among the files.`, {
        details: { found: name },
      });
    return blob;
  }
}
