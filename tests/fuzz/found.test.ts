/** What mutations once got through a parser with, each refusal beside the control that passes. */
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { parseModelConfig, parsePeftConfig, readPeftConfig } from '$lib/config';
import { parseSafetensorsIndex, readDataset, readZip, serializeSafetensors } from '$lib/formats';
import { parseModelIndex } from '$lib/hub/model-index';
import { layoutAdapter, readAdapter, writeAdapter, type AdaptedModel } from '$lib/peft';
import { loadTokenizer } from '$lib/text';
import { parseTrainerState } from '$lib/training/trainer-state';
import { readJson } from '../goldens';
import { TOKENIZERS } from './tokenizers';

type Json = Record<string, unknown>;

const codeOf = (work: () => unknown): unknown => {
  try {
    work();
    return undefined;
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
};

const DEEP = '['.repeat(30_000) + ']'.repeat(30_000);
/** Text of an object with one field written as it stands. */
const withRaw = (object: object, field: string, raw: string) =>
  `${JSON.stringify({ ...object, [field]: undefined }).slice(0, -1)},${JSON.stringify(field)}:${raw}}`;

describe('settings', () => {
  const config = readJson<Json>('models/llama-tied/config.json');
  const adapter = readJson<Json>('models/llama-tied/adapter/adapter_config.json');

  it('that nest without end, or hold objects where names belong', () => {
    expect(codeOf(() => parseModelConfig(JSON.stringify(config)))).toBeUndefined();
    for (const raw of [DEEP, '[{"toString":1}]', '[[["a"]]]'])
      expect(codeOf(() => parseModelConfig(withRaw(config, 'architectures', raw)))).toMatch(
        /wrong-type|unsupported-architecture/,
      );
    expect(codeOf(() => parsePeftConfig(JSON.stringify(adapter)))).toBeUndefined();
    for (const raw of [DEEP, '[{"toString":1}]'])
      expect(codeOf(() => parsePeftConfig(withRaw(adapter, 'target_modules', raw)))).toMatch(
        /wrong-type|unsupported-option/,
      );
  });

  it('whose numbers become infinite in the 32 bits of a kernel', () => {
    const alpha = (raw: string) => () => parsePeftConfig(withRaw(adapter, 'lora_alpha', raw));
    expect(codeOf(alpha('64'))).toBeUndefined();
    expect(codeOf(alpha('1e308'))).toBe('out-of-range');
  });

  it('of a trainer that stands at half a step or logged no numbers', () => {
    const state = {
      epoch: 1,
      global_step: 3,
      max_steps: 6,
      num_train_epochs: 2,
      train_batch_size: 1,
      logging_steps: 1,
      save_steps: 3,
      num_input_tokens_seen: 9,
      log_history: [{ epoch: 1, grad_norm: 1, learning_rate: 0.1, loss: 2, step: 3 }],
    };
    const parse = (changes: object) => () =>
      parseTrainerState(JSON.stringify({ ...state, ...changes }));
    expect(codeOf(parse({}))).toBeUndefined();
    expect(codeOf(parse({ global_step: 2.5 }))).toBe('wrong-type');
    expect(codeOf(parse({ global_step: -1 }))).toBe('out-of-range');
    expect(codeOf(parse({ log_history: [null] }))).toBe('missing-field');
  });
});

describe('an adapter', () => {
  const model = (width: number): AdaptedModel => ({
    layers: [
      {
        path: 'model.layers.0.self_attn.q_proj',
        module: 'q_proj',
        inFeatures: width,
        outFeatures: width,
        hasBias: false,
      },
    ],
    tensors: [],
    layerCount: 1,
    keyHeads: 1,
    keyValueWidth: width,
  });

  it('whose config asks for more memory than its file has bytes', () => {
    const config = readPeftConfig({ r: 2, target_modules: ['q_proj'] }, 'test');
    const layout = layoutAdapter(model(8), config);
    const values = new Float32Array(layout.flatCount);
    const files = writeAdapter({ config, layout, values }, model(8), 'base');
    expect(codeOf(() => readAdapter(files, model(8)))).toBeUndefined();
    const greedy = { ...files, configJson: '{"r":1024,"target_modules":["q_proj"]}' };
    expect(codeOf(() => readAdapter(greedy, model(1 << 20)))).toBe('wrong-model');
    const empty = { ...greedy, weights: serializeSafetensors([]) };
    expect(codeOf(() => readAdapter(empty, model(1 << 20)))).toBe('missing-tensor');
  });
});

describe('files', () => {
  it('a zip archive whose local header stretches an entry over the next', () => {
    const files = { a: new Uint8Array(8), b: new Uint8Array(8) };
    const zip = zipSync(files, { level: 0 });
    expect(readZip(zip).map((entry) => entry.read().length)).toEqual([8, 8]);
    zip[28] = 16; // extra field of the first local header
    expect(codeOf(() => readZip(zip).map((entry) => entry.read()))).toBe('corrupt');
  });

  it('an index with a size below nothing', () => {
    const index = (size: number) =>
      parseSafetensorsIndex(
        JSON.stringify({ metadata: { total_size: size }, weight_map: { a: 'a.safetensors' } }),
      );
    expect(index(12).totalSizeBytes).toBe(12);
    expect(index(-1).totalSizeBytes).toBeUndefined();
  });

  it('a text in damaged UTF-16 is called damaged, not empty', () => {
    const bytes = (text: string) =>
      new Uint8Array(Uint16Array.from(`\uFEFF${text}`, (c) => c.charCodeAt(0)).buffer);
    const read = (text: string) => readDataset(bytes(text), { fileName: 'a.json' });
    expect(read('[{"text":"a"}]').rows).toHaveLength(1);
    expect(() => read('[{"text":"\uD800"}]')).toThrow(/damaged text in utf-16le/);
  });

  it('a repository that lists one file twice', () => {
    const sha = '0'.repeat(40);
    const parse = (names: string[]) => () =>
      parseModelIndex(
        JSON.stringify({ sha, siblings: names.map((rfilename) => ({ rfilename })) }),
        'a/b',
      );
    expect(codeOf(parse(['config.json', 'tokenizer.json']))).toBeUndefined();
    expect(codeOf(parse(['config.json', 'config.json']))).toBe('bad-answer');
  });
});

describe('a tokenizer', () => {
  const [bpe, unigram, wordPiece] = TOKENIZERS.map(({ json }) => JSON.parse(json) as Json);
  const encode = (json: object, text = 'hello') =>
    codeOf(() => loadTokenizer({ tokenizerJson: json }).encode(text));
  const withModel = (json: Json, changes: object) => ({
    ...json,
    model: { ...(json.model as object), ...changes },
  });

  it('encodes as it is', () => {
    for (const json of [bpe, unigram, wordPiece]) expect(encode(json)).toBeUndefined();
  });

  it('that steps through a text without getting on', () => {
    for (const length of [0, -1, 0.5, null, 1e308])
      expect(encode({ ...wordPiece, pre_tokenizer: { type: 'FixedLength', length } })).toBe(
        'bad-tokenizer',
      );
  });

  it('that blows a text up, leaves a step out, or takes time with the cube of a word', () => {
    const replace = (pattern: unknown, content: string) => ({
      ...unigram,
      normalizer: { type: 'Replace', pattern, content },
    });
    expect(encode(replace({ Regex: ' +' }, '▁'))).toBeUndefined();
    expect(encode(replace({ String: '' }, 'x'.repeat(5000)))).toBe('bad-tokenizer');
    expect(encode(replace({}, '▁'))).toBe('bad-tokenizer');
    const doubling = { type: 'Replace', pattern: { String: 'a' }, content: 'aa' };
    const normalizer = { type: 'Sequence', normalizers: new Array(40).fill(doubling) };
    expect(encode({ ...unigram, normalizer }, 'a')).toBe('bad-tokenizer');
    expect(encode(withModel(wordPiece, { max_input_chars_per_word: 1e9 }))).toBe('bad-tokenizer');
  });

  it('whose unknown token has an id beyond the vocabulary, or whose steps fail when they are reached', () => {
    expect(encode(unigram, 'z')).toBeUndefined();
    expect(encode(withModel(unigram, { unk_id: 65535 }), 'z')).toBe('unencodable');
    expect(encode({ ...wordPiece, post_processor: { type: 'BertProcessing' } })).toBe(
      'bad-tokenizer',
    );
    const deep = { ...wordPiece, post_processor: { type: 'BertProcessing', cls: 1, sep: 2 } };
    const text = JSON.stringify(deep).replace('"cls":1', `"cls":${DEEP}`);
    expect(codeOf(() => loadTokenizer({ tokenizerJson: text }).encode('a'))).toBe('bad-tokenizer');
  });
});
