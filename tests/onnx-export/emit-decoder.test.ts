/**
 * Graphs of the decoder. Plan:
 * - every reference architecture, with weights as inputs and as external data, with and without an
 *   adapter, in each form of logits: what is written is read back equal
 * - inputs, outputs and the cache's dimensions are what transformers.js reads; weight inputs are the
 *   checkpoint's names and shapes, LoRA inputs PEFT's saved keys with a symbolic rank
 * - architectures differ where they should: biases, head norms, window, rotation, tied head
 * - weights in 4 bits are inputs as bitsandbytes packs them
 * - a head size that no attention operator takes, and options that contradict, are refused
 */
import { describe, expect, it } from 'vitest';
import { parseModelConfig } from '../../src/lib/config';
import { parseOnnx, serializeOnnx, type OnnxModel } from '../../src/lib/formats';
import {
  emitDecoder,
  LORA_SCALE,
  loraInputs,
  pathsOfModules,
  type DecoderOptions,
} from '../../src/lib/onnx-export';
import { EXPORTABLE, openGolden, readTensors } from './golden-models';

const ALL = pathsOfModules(openGolden('llama-tied').config);
/** In the first block alone. */
const ONE = new Set(['model.layers.0.self_attn.q_proj']);
const VARIANTS: readonly DecoderOptions[] = [
  { weights: 'inputs' },
  { weights: 'inputs', adapter: { targets: ALL }, logits: 'keep', maxPositions: 64 },
  { weights: 'external', adapter: { targets: ONE, biasInputs: true }, logits: 'last' },
  { weights: 'external', dtype: 'fp16' },
  { weights: 'external', dtype: 'q4' },
];

const typesOf = ({ graph }: OnnxModel) => graph.nodes.map(({ opType }) => opType);
const inputNames = ({ graph }: OnnxModel) => graph.inputs.map(({ name }) => name);

describe.each(EXPORTABLE)('%s', (name) => {
  const { config, tensors } = openGolden(name);

  it.each(VARIANTS)('reads back what it writes: %j', (options) => {
    const model = emitDecoder(config, options);
    expect(parseOnnx(serializeOnnx(model))).toEqual({ irVersion: 10, ...model });
    const names = model.graph.nodes.map((node) => node.name);
    expect(new Set(names).size).toBe(names.length);
    for (const node of names) expect(node).toMatch(/^\/(model|lm_head)\//);
  });

  it('takes the checkpoint’s tensors as inputs, under their names and shapes', () => {
    const { graph } = emitDecoder(config, { weights: 'inputs' });
    const given = new Map(graph.inputs.map(({ name, shape }) => [name, shape]));
    for (const [weight, { shape }] of tensors) expect(given.get(weight), weight).toEqual(shape);
    const others = [...given.keys()].filter((input) => !tensors.has(input));
    expect(others.filter((input) => !input.startsWith('past_key_values.')).sort()).toEqual(
      ['attention_mask', 'cos_cache', 'input_ids', 'sin_cache']
        .concat(config.headDim % 16 === 0 ? [] : ['position_ids'])
        .sort(),
    );
    expect(serializeOnnx({ opsets: [], graph }).byteLength).toBeLessThan(32_000);
  });

  it('declares a cache whose heads are numbers', () => {
    const { graph } = emitDecoder(config, { weights: 'external' });
    const shapeOf = (length: string) => ['batch_size', config.kvHeadCount, length, config.headDim];
    for (let layer = 0; layer < config.layerCount; layer++)
      for (const part of ['key', 'value']) {
        const past = graph.inputs.find((i) => i.name === `past_key_values.${layer}.${part}`);
        const present = graph.outputs.find((o) => o.name === `present.${layer}.${part}`);
        expect(past?.shape).toEqual(shapeOf('past_sequence_length'));
        expect(present?.shape).toEqual(shapeOf('total_sequence_length'));
      }
  });

  it('takes the factors that PEFT saved, with a symbolic rank', () => {
    const { floats } = {
      floats: readTensors(`${openGolden(name).path}/adapter/adapter_model.safetensors`),
    };
    const targets = new Set(
      [...floats.keys()].flatMap((key) => /^base_model\.model\.(.*)\.lora_A/.exec(key)?.[1] ?? []),
    );
    const model = emitDecoder(config, { weights: 'inputs', adapter: { targets } });
    const saved = [...floats.keys()].filter((key) => key.includes('.lora_'));
    expect(
      inputNames(model)
        .filter((input) => input.includes('.lora_'))
        .sort(),
    ).toEqual(saved.sort());
    expect(inputNames(model)).toContain(LORA_SCALE);
    expect(
      loraInputs(config, targets)
        .map((input) => input.name)
        .sort(),
    ).toEqual(saved.sort());
    for (const { name, shape } of model.graph.inputs) {
      if (!name.includes('.lora_')) continue;
      expect(
        shape?.map((size) =>
          String(size).endsWith('.rank')
            ? floats.get(name)!.shape[name.includes('lora_A') ? 0 : 1]
            : size,
        ),
      ).toEqual(floats.get(name)!.shape);
    }
  });
});

describe('architectures', () => {
  const emit = (name: string, options: DecoderOptions = { weights: 'inputs' }) =>
    emitDecoder(openGolden(name).config, options);
  const attention = (name: string) =>
    emit(name).graph.nodes.find(({ opType }) => opType === 'GroupQueryAttention')!;
  const attribute = (name: string, key: string) =>
    attention(name).attributes?.find((a) => a.name === key)?.value;

  it('slide in Mistral alone', () => {
    expect(attribute('mistral-sliding', 'local_window_size')).toBe(8);
    expect(attribute('llama-tied', 'local_window_size')).toBeUndefined();
  });

  it('rotate inside attention, outside where the head is no multiple of 16', () => {
    expect(attribute('llama-tied', 'do_rotary')).toBe(1);
    expect(typesOf(emit('llama-tied'))).not.toContain('RotaryEmbedding');
    expect(attribute('qwen3', 'do_rotary')).toBe(0);
    expect(typesOf(emit('qwen3')).filter((type) => type === 'RotaryEmbedding')).toHaveLength(
      2 * openGolden('qwen3').config.layerCount,
    );
  });

  it('have a head of their own where they are untied', () => {
    expect(inputNames(emit('llama-tied'))).not.toContain('lm_head.weight');
    expect(inputNames(emit('llama-untied-gqa'))).toContain('lm_head.weight');
  });

  it('multiply 4-bit weights by MatMulNBits alone', () => {
    const types = typesOf(emit('qwen2', { weights: 'external', dtype: 'q4' }));
    expect(types).not.toContain('Gemm');
    expect(types.filter((type) => type === 'MatMulNBits')).toHaveLength(
      7 * openGolden('qwen2').config.layerCount + 1,
    );
  });

  it('use only operators of the standard that the ONNX checker knows', () => {
    for (const name of EXPORTABLE)
      for (const { opType, domain } of emit(name, { weights: 'external' }).graph.nodes)
        expect(opType === 'SimplifiedLayerNormalization' && !domain, name).toBe(false);
  });
});

describe('refusals', () => {
  const config = openGolden('llama-tied').config;
  const codeOf = (work: () => unknown) => {
    try {
      work();
      return 'no error';
    } catch (error) {
      return (error as { code: string }).code;
    }
  };

  it('a head size that attention does not take, named; the control passes', () => {
    const twelve = openGolden('sharded').config;
    expect(twelve.headDim).toBe(12);
    expect(codeOf(() => emitDecoder(twelve, { weights: 'inputs' }))).toBe('unsupported-model');
    expect(codeOf(() => emitDecoder(config, { weights: 'inputs' }))).toBe('no error');
  });

  it('4 bits where a row is no whole block, or with external weights; the control has no other product', () => {
    const wide = { ...config, hiddenSize: 128, intermediateSize: 192, headCount: 2, headDim: 64 };
    expect(codeOf(() => emitDecoder(wide, { weights: 'external', fourBit: true }))).toBe(
      'invalid-option',
    );
    const odd = { ...wide, intermediateSize: 200 };
    expect(codeOf(() => emitDecoder(odd, { weights: 'inputs', fourBit: true }))).toBe(
      'unsupported-model',
    );
    const { graph } = emitDecoder(wide, { weights: 'inputs', fourBit: true });
    const products = graph.nodes.filter(({ opType }) => /^MatMul|^Gemm/.test(opType));
    expect(products.map(({ opType }) => opType)).toEqual([
      ...new Array<string>(7 * config.layerCount).fill('MatMulBnb4'),
      'Gemm',
    ]);
    const down = 'model.layers.0.mlp.down_proj.weight';
    const given = new Map(graph.inputs.map(({ name, shape }) => [name, shape]));
    expect(given.get(down)).toEqual([(128 * 192) / 2]);
    expect(given.get(`${down}.absmax`)).toEqual([(128 * 192) / 64]);
  });

  it('half precision with weights or adapters as inputs', () => {
    expect(codeOf(() => emitDecoder(config, { weights: 'inputs', dtype: 'fp16' }))).toBe(
      'invalid-option',
    );
    expect(
      codeOf(() =>
        emitDecoder(config, { weights: 'external', dtype: 'q4', adapter: { targets: ONE } }),
      ),
    ).toBe('invalid-option');
  });

  it('gives a table of as many positions as asked for', () => {
    const text = JSON.stringify(openGolden('llama-tied').rawConfig);
    const { graph } = emitDecoder(parseModelConfig(text), {
      weights: 'external',
      maxPositions: 32,
    });
    expect(graph.initializers.find(({ name }) => name === 'cos_cache')?.dims).toEqual([32, 8]);
  });
});
