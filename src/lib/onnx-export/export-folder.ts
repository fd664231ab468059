/**
 * A model folder that transformers.js, Optimum and plain ONNX Runtime load: `config.json`, the files
 * it came with, `onnx/model.onnx` and its data beside it. Weights stream through, one at a time.
 */
import { parseJsonObject, type JsonObject, type ModelConfig } from '../config';
import { serializeOnnx, type OnnxTensor } from '../formats';
import { planDecoder } from './emit-decoder';
import { externalData, type WeightSource } from './external-data';
import type { ExportDtype } from './weight-supply';

export interface ExportFolderRequest {
  readonly config: ModelConfig;
  /** config.json as it was read. */
  readonly rawConfig: JsonObject;
  /** Merged already where an adapter is to be part of it. */
  readonly source: WeightSource;
  /** Default fp32. The file is named as transformers.js looks for it: model, model_fp16, model_q4. */
  readonly dtype?: ExportDtype;
  /** Files that go along as they are: tokenizer.json, tokenizer_config.json, generation_config.json ... */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly signal?: AbortSignal;
}

export interface ExportedPart {
  /** Path in the folder, with `/`. */
  readonly name: string;
  readonly sizeBytes: number;
  /** To be read to its end before the next part is asked for. */
  readonly bytes: AsyncIterable<Uint8Array<ArrayBuffer>>;
}

const SUFFIX: Record<ExportDtype, string> = { fp32: '', fp16: '_fp16', q4: '_q4' };

/** @throws ExportError `unsupported-model`, `bad-weight`, `invalid-option`; ConfigError `not-json` */
export async function* exportFolder(
  request: ExportFolderRequest,
): AsyncGenerator<ExportedPart, void, undefined> {
  const { config, source, dtype = 'fp32', files, signal } = request;
  const modelFile = `model${SUFFIX[dtype]}.onnx`;
  const dataFile = `${modelFile}_data`;
  const plan = planDecoder(config, { weights: 'external', dtype, logits: 'all', dataFile });
  yield whole('config.json', encodeJson(exportedConfig(request.rawConfig, modelFile, dtype)));
  for (const [name, bytes] of files) {
    if (name === 'config.json') continue;
    const ready = name === 'tokenizer_config.json' ? withChatTemplate(bytes, files) : bytes;
    yield whole(name, new Uint8Array(ready));
  }
  yield whole(`onnx/${modelFile}`, serializeOnnx(plan.model));
  yield {
    name: `onnx/${dataFile}`,
    sizeBytes: dataFileBytes(plan.model.graph.initializers),
    bytes: externalData(config, plan, source, signal),
  };
}

function whole(name: string, bytes: Uint8Array<ArrayBuffer>): ExportedPart {
  return {
    name,
    sizeBytes: bytes.byteLength,
    bytes: (async function* () {
      yield bytes;
    })(),
  };
}

/** transformers.js finds the data file and the type through this entry alone. */
function exportedConfig(rawConfig: JsonObject, modelFile: string, dtype: ExportDtype): JsonObject {
  return {
    ...rawConfig,
    'transformers.js_config': { dtype, use_external_data_format: { [modelFile]: 1 } },
  };
}

/** transformers.js reads no chat_template.jinja: its text goes into the config, the file stays. */
function withChatTemplate(bytes: Uint8Array, files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const template = files.get('chat_template.jinja');
  if (!template) return bytes;
  const decoder = new TextDecoder();
  const config = parseJsonObject(decoder.decode(bytes), 'tokenizer_config.json');
  return encodeJson({ ...config, chat_template: decoder.decode(template) });
}

function encodeJson(value: JsonObject): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${JSON.stringify(value, undefined, 2)}\n`);
}

/** The file ends with its last tensor. */
function dataFileBytes(initializers: readonly OnnxTensor[]): number {
  let end = 0;
  for (const { external } of initializers)
    if (external) end = Math.max(end, external.offset + external.length);
  return end;
}
