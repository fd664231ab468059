/**
 * Exported folders. Plan:
 * - every reference architecture and dtype: the parts in order, sizes as announced, data aligned to 4
 *   KiB without overlap, and the bytes of each float32 tensor those of the checkpoint
 * - config.json tells transformers.js where the data is; a chat_template.jinja goes into the config
 * - a source that gives too few values is refused by name; a stop stops
 * With INKSTONE_EXPORT_DIR set the folders are written there, for check_folders.py.
 */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseOnnx } from '../../src/lib/formats';
import { ExportError, exportFolder, type ExportDtype } from '../../src/lib/onnx-export';
import { EXPORTABLE, openGolden } from './golden-models';
import { writeFolder } from './write-folder';

type Request = Parameters<typeof exportFolder>[0];

async function collect(request: Request): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for await (const part of exportFolder(request)) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of part.bytes) chunks.push(chunk);
    const bytes = new Uint8Array(Buffer.concat(chunks));
    expect(bytes.byteLength, part.name).toBe(part.sizeBytes);
    files.set(part.name, bytes);
  }
  return files;
}

const json = (bytes: Uint8Array | undefined) =>
  JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;

describe.each(['fp32', 'fp16', 'q4'] as const)('%s folders', (dtype: ExportDtype) => {
  it.each(EXPORTABLE)('%s', async (name) => {
    const golden = openGolden(name);
    const files = await collect({ ...golden, dtype });
    const suffix = dtype === 'fp32' ? '' : `_${dtype}`;
    const data = files.get(`onnx/model${suffix}.onnx_data`)!;
    const { graph } = parseOnnx(files.get(`onnx/model${suffix}.onnx`)!);
    const spans = graph.initializers.flatMap(({ external, name }) =>
      external ? [{ ...external, name }] : [],
    );
    let end = 0;
    for (const { offset, length, location, name } of spans) {
      expect(location).toBe(`model${suffix}.onnx_data`);
      expect(offset % 4096, name).toBe(0);
      expect(offset, name).toBeGreaterThanOrEqual(end);
      end = offset + length;
    }
    expect(end).toBe(data.byteLength);
    if (dtype === 'fp32') {
      for (const { name, offset, length } of spans) {
        const published = golden.tensors.get(name);
        if (!published) continue;
        const found = new Float32Array(data.slice(offset, offset + length).buffer);
        expect(Buffer.compare(Buffer.from(found.buffer), bytesOf(published.values)), name).toBe(0);
      }
      const held = new Set(spans.map(({ name }) => name));
      for (const name of golden.tensors.keys()) expect(held.has(name), name).toBe(true);
    }
    expect(json(files.get('config.json'))['transformers.js_config']).toEqual({
      dtype,
      use_external_data_format: { [`model${suffix}.onnx`]: 1 },
    });
    expect(files.has('generation_config.json')).toBe(true);
    const directory = process.env.INKSTONE_EXPORT_DIR;
    if (directory) await writeFolder(golden, join(directory, `${name}-${dtype}`), dtype);
  });
});

const bytesOf = (values: Float32Array) =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength);

it('folds chat_template.jinja into the tokenizer config and keeps the file', async () => {
  const golden = openGolden('llama-tied');
  const encode = (text: string) => new TextEncoder().encode(text);
  const files = new Map([
    ['tokenizer_config.json', encode('{"eos_token":"</s>"}')],
    ['chat_template.jinja', encode('{{ messages }}')],
  ]);
  const written = await collect({ ...golden, files });
  expect(json(written.get('tokenizer_config.json'))).toEqual({
    eos_token: '</s>',
    chat_template: '{{ messages }}',
  });
  expect(written.has('chat_template.jinja')).toBe(true);
  const control = await collect({ ...golden, files: new Map([...files].slice(0, 1)) });
  expect(json(control.get('tokenizer_config.json'))).toEqual({ eos_token: '</s>' });
});

it('refuses a tensor of the wrong size by name', async () => {
  const golden = openGolden('llama-tied');
  const source = async (name: string) => {
    const values = await golden.source(name);
    return name.endsWith('1.mlp.up_proj.weight') ? values.subarray(1) : values;
  };
  for (const dtype of ['fp32', 'q4'] as const) {
    const failure = await collect({ ...golden, source, dtype }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ExportError);
    expect((failure as ExportError).code).toBe('bad-weight');
    expect((failure as ExportError).message).toContain('model.layers.1.mlp.up_proj.weight');
  }
});

it('stops between tensors', async () => {
  const golden = openGolden('llama-tied');
  const controller = new AbortController();
  let asked = 0;
  const source = async (name: string) => {
    if (++asked === 3) controller.abort();
    return golden.source(name);
  };
  await expect(collect({ ...golden, source, signal: controller.signal })).rejects.toThrow();
  expect(asked).toBe(3);
});
