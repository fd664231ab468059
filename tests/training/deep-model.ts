/** A Llama-shaped model of any depth with random weights, for what the goldens' few layers cannot show. */
import { readModelConfig, type ModelConfig } from '$lib/config';
import { Xoshiro128 } from '$lib/config/random';
import { ModelWeights, parameterShapes } from '$lib/decoder';
import type { Gpu } from '$lib/gpu';

export function deepConfig(layerCount: number, changes: Record<string, unknown> = {}): ModelConfig {
  return readModelConfig({
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: 96,
    hidden_size: 32,
    intermediate_size: 64,
    num_hidden_layers: layerCount,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    head_dim: 8,
    max_position_embeddings: 256,
    rms_norm_eps: 1e-6,
    rope_theta: 10_000,
    tie_word_embeddings: true,
    hidden_act: 'silu',
    ...changes,
  });
}

/** Norms near 1, the rest uniform and small. */
export function randomWeights(gpu: Gpu, config: ModelConfig, seed = 1): Promise<ModelWeights> {
  const random = new Xoshiro128(seed);
  const shapes = new Map(parameterShapes(config).map(({ name, shape }) => [name, shape]));
  return ModelWeights.upload(gpu, config, async (name) => {
    const shape = shapes.get(name)!;
    const base = name.includes('norm') ? 1 : 0;
    const values = Float32Array.from(
      { length: shape.reduce((product, size) => product * size, 1) },
      () => base + 0.4 * (random.nextUnit() - 0.5),
    );
    return { dtype: 'F32' as const, shape, bytes: new Uint8Array(values.buffer) };
  });
}
