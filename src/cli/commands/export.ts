/** `export --model DIR [--adapter DIR] --format onnx --dtype fp32|fp16|q4 --output DIR` */
import { join } from 'node:path';
import { parseJsonObject } from '$lib/config';
import { DecoderError, mergedSource, type TensorSource } from '$lib/decoder';
import { tensorToFloat32 } from '$lib/formats';
import { exportFolder, type ExportDtype, type WeightSource } from '$lib/onnx-export';
import { readBytes, readText, writeFileAtomically } from '../disk';
import { CliError } from '../errors';
import { COMPANION_FILES, openAdapterFolder, openModelFolder } from '../model-folder';
import { print } from '../print';

export interface ExportOptions {
  model: string;
  adapter?: string;
  format: string;
  dtype?: string;
  output: string;
}

const DTYPES: readonly ExportDtype[] = ['fp32', 'fp16', 'q4'];

export async function exportModel(options: ExportOptions): Promise<void> {
  const { model, output } = options;
  if (options.format !== 'onnx')
    throw new CliError('usage', `--format is ${options.format}; onnx is supported.`);
  const dtype = DTYPES.find((name) => name === (options.dtype ?? 'fp32'));
  if (!dtype)
    throw new CliError('usage', `--dtype is ${options.dtype}; allowed are ${DTYPES.join(', ')}.`);
  const { config, checkpoint } = await openModelFolder(model);
  const base = checkpoint.source;
  const source = options.adapter
    ? mergedSource(base, await openAdapterFolder(options.adapter, config))
    : base;
  const rawConfig = parseJsonObject(await readText(join(model, 'config.json')), 'config.json');
  const files = await readCompanions(model);
  for await (const part of exportFolder({
    config,
    rawConfig,
    source: floats(source),
    dtype,
    files,
  })) {
    await writeFileAtomically(join(output, part.name), part.bytes);
    print(`${join(output, part.name)} ${part.sizeBytes} bytes`);
  }
}

function floats(source: TensorSource): WeightSource {
  return async (name) => {
    const stored = await source(name);
    if (!stored)
      throw new DecoderError('missing-tensor', `The checkpoint has no tensor ${name}.`, {
        details: { name },
      });
    return tensorToFloat32(stored.bytes, stored.dtype);
  };
}

async function readCompanions(model: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const name of COMPANION_FILES)
    if (name !== 'config.json') {
      const bytes = await readBytes(join(model, name)).catch(() => undefined);
      if (bytes) files.set(name, bytes);
    }
  return files;
}
