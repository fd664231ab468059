import { describe, expect, it } from 'vitest';
import { ConfigError, parseModelConfig, readModelConfig, type JsonObject } from '$lib/config';

const LLAMA: JsonObject = {
  architectures: ['LlamaForCausalLM'],
  vocab_size: 100,
  hidden_size: 64,
  intermediate_size: 88,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-5,
  rope_theta: 500000,
};

const read = (changes: JsonObject) => readModelConfig({ ...LLAMA, ...changes });
const refusal = (changes: JsonObject) => {
  try {
    read(changes);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
};

describe('config.json', () => {
  it('is read in the old spelling and in that of transformers 5, to the same result', () => {
    const scaling = {
      rope_type: 'llama3',
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 64,
    };
    const old = read({ rope_scaling: scaling });
    const rest = { ...LLAMA, rope_theta: undefined };
    const fresh = readModelConfig({
      ...rest,
      rope_parameters: { ...scaling, rope_theta: 500000 },
    });
    expect(fresh.rope).toEqual(old.rope);
    expect(old.rope).toMatchObject({ type: 'llama3', theta: 500000, factor: 8 });
  });

  it('fills in what older files leave out', () => {
    const rest = { ...LLAMA, num_key_value_heads: undefined };
    expect(readModelConfig(rest)).toMatchObject({ kvHeadCount: 4, headDim: 16, qkvBias: false });
  });

  it('knows what sets the four architectures apart', () => {
    expect(read({ architectures: ['Qwen2ForCausalLM'] })).toMatchObject({
      qkvBias: true,
      outputBias: false,
      qkNorm: false,
    });
    expect(read({ architectures: ['Qwen3ForCausalLM'], head_dim: 24 })).toMatchObject({
      qkNorm: true,
      headDim: 24,
    });
    expect(
      read({ architectures: ['MistralForCausalLM'], sliding_window: 8 }).slidingWindow,
    ).toEqual([8, 8]);
    const qwenSlides = { architectures: ['Qwen2ForCausalLM'], sliding_window: 8 };
    expect(read(qwenSlides).slidingWindow).toEqual([undefined, undefined]);
    expect(
      read({ ...qwenSlides, use_sliding_window: true, max_window_layers: 1 }).slidingWindow,
    ).toEqual([undefined, 8]);
  });

  it('takes one end token or several', () => {
    expect(read({ eos_token_id: 2 }).eosTokenIds).toEqual([2]);
    expect(read({ eos_token_id: [2, 3] }).eosTokenIds).toEqual([2, 3]);
  });

  it('refuses any other architecture by name, with the list of what is supported', () => {
    const error = refusal({ architectures: ['GPT2LMHeadModel'] });
    expect(error.code).toBe('unsupported-architecture');
    expect(error.message).toMatch(/GPT2LMHeadModel.*LlamaForCausalLM.*Qwen3ForCausalLM/);
  });

  it.each([
    [{ hidden_size: undefined }, 'missing-field', /hidden_size is missing/],
    [{ hidden_size: '64' }, 'wrong-type', /hidden_size is "64"/],
    [{ hidden_size: 0 }, 'out-of-range', /hidden_size is 0/],
    [{ vocab_size: 1e12 }, 'out-of-range', /vocab_size/],
    [{ num_key_value_heads: 3 }, 'unsupported-option', /num_key_value_heads/],
    [{ hidden_act: 'gelu' }, 'unsupported-option', /hidden_act/],
    [{ rope_scaling: { rope_type: 'yarn', factor: 2 } }, 'unsupported-option', /yarn/],
    [{ quantization_config: { bits: 4 } }, 'unsupported-option', /quantization_config/],
    [{ eos_token_id: -1 }, 'wrong-type', /eos_token_id/],
  ])('refuses %j: %s', (changes, code, message) => {
    const error = refusal(changes);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it('says so when the file is no JSON object', () => {
    expect(() => parseModelConfig('<html>')).toThrow(/config.json is not JSON/);
    expect(() => parseModelConfig('[1]')).toThrow(/holds \[1\], a JSON object is needed/);
    expect(parseModelConfig(JSON.stringify(LLAMA)).hiddenSize).toBe(64);
  });
});
