/** Adapters on this device, in PEFT's files. */
import { adaptedModel } from '../decoder';
import type { ModelConfig } from '../config';
import {
  ADAPTER_CONFIG_FILE,
  ADAPTER_WEIGHTS_FILE,
  readAdapter,
  type AdapterFiles,
  type LoadedAdapter,
} from '../peft';
import type { AdapterSummary } from '../rpc/engine-api';
import { newId, type EngineContext } from './context';
import { EngineError, notFound } from './errors';
import { DroppedFolder } from './model-folder';
import { unpackDropped } from './model-library';

interface AdapterRecord extends AdapterSummary {
  schemaVersion: 1;
}

export class AdapterLibrary {
  constructor(private readonly context: EngineContext) {}

  async list(): Promise<AdapterSummary[]> {
    const records = await this.context.tables.list<AdapterRecord>('adapters');
    return records.sort((a, b) => b.createdAt - a.createdAt);
  }

  async get(id: string): Promise<AdapterSummary> {
    const record = await this.context.tables.get<AdapterRecord>('adapters', id);
    if (!record) throw notFound('adapter', id);
    return record;
  }

  /** @throws PeftError `wrong-model` when it does not fit the model */
  async load(id: string, modelId: string, config: ModelConfig): Promise<LoadedAdapter> {
    const summary = await this.get(id);
    if (summary.modelId !== modelId)
      throw new EngineError(
        'wrong-model',
        `${summary.name} belongs to ${summary.modelId}, ${modelId} is open. Open its own model first.`,
        { details: { found: summary.modelId, allowed: modelId } },
      );
    return readAdapter(await this.files(id), adaptedModel(config));
  }

  async files(id: string): Promise<AdapterFiles> {
    const read = (name: string) => this.context.files.readFile(`${folderOf(id)}/${name}`);
    return {
      configJson: await (await read(ADAPTER_CONFIG_FILE)).text(),
      weights: new Uint8Array(await (await read(ADAPTER_WEIGHTS_FILE)).arrayBuffer()),
    };
  }

  async save(summary: AdapterSummary, { configJson, weights }: AdapterFiles): Promise<void> {
    const folder = folderOf(summary.id);
    await this.context.files.writeFile(`${folder}/${ADAPTER_WEIGHTS_FILE}`, weights);
    await this.context.files.writeFile(
      `${folder}/${ADAPTER_CONFIG_FILE}`,
      new TextEncoder().encode(configJson),
    );
    await this.context.tables.put<AdapterRecord>('adapters', { ...summary, schemaVersion: 1 });
  }

  /** @throws EngineError `bad-files`; PeftError; ConfigError; FormatError */
  async import(
    files: readonly File[],
    name: string,
    modelId: string,
    config: ModelConfig,
  ): Promise<AdapterSummary> {
    const folder = new DroppedFolder(await unpackDropped(files));
    const present = await folder.list();
    const missing = [ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE].filter(
      (file) => !present.includes(file),
    );
    if (missing.length > 0)
      throw new EngineError(
        'bad-files',
        `An adapter needs ${ADAPTER_CONFIG_FILE} and ${ADAPTER_WEIGHTS_FILE}; missing: ${missing.join(', ')}.`,
        { details: { found: present.slice(0, 8).join(', ') } },
      );
    const bytes = async (file: string) => folder.readRange(file, 0, await folder.sizeBytes(file));
    const adapter: AdapterFiles = {
      configJson: new TextDecoder().decode(await bytes(ADAPTER_CONFIG_FILE)),
      weights: await bytes(ADAPTER_WEIGHTS_FILE),
    };
    const loaded = readAdapter(adapter, adaptedModel(config));
    const summary: AdapterSummary = {
      id: newId('adapter'),
      name,
      modelId,
      origin: 'imported',
      peft: loaded.config,
      sizeBytes: adapter.weights.byteLength,
      createdAt: Date.now(),
    };
    await this.save(summary, adapter);
    return summary;
  }

  async delete(id: string): Promise<void> {
    await this.get(id);
    await this.context.tables.remove('adapters', id);
    await this.context.files.remove(folderOf(id));
  }
}

const folderOf = (adapterId: string) => `adapters/${adapterId}`;
