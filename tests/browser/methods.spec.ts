/**
 * What each method made, talked to. Plan, on both backends:
 * - logits are PEFT's for DoRA, LoRA+, PiSSA and OLoRA (converted), IA3 and prefix tuning, and the fully tuned
 *   model's on the GPU; the base's are others
 * - so they are where only some layers have it, with ranks and scales of their own
 * - greedy decoding with the cache chooses what one pass over everything chooses
 */
import { expect, test } from '@playwright/test';
import { run } from './run-scenario';

const TOLERANCE = 1e-3;

const METHODS = [
  'dora',
  'dora-rslora-bias',
  'loraplus',
  'pissa',
  'pissa-rslora',
  'olora',
  'ia3-llama',
  'ia3-qwen2',
  'prefix-llama-gqa',
  'prefix-llama3-scaling',
  'prefix-mistral-sliding',
  'full-tied',
  'full-untied',
  'patterns-layers',
  'regex-exclude',
  'dora-rslora-patterns',
  'pissa-patterns',
  'ia3-regex',
];

/** SwiftShader takes a dozen seconds a method: on WebGPU, one of each kind of input. */
const ON_WEBGPU = [
  'dora-rslora-bias',
  'pissa',
  'ia3-qwen2',
  'prefix-llama-gqa',
  'prefix-mistral-sliding',
  'full-untied',
  'patterns-layers',
  'dora-rslora-patterns',
];

for (const backend of ['webgpu', 'wasm'] as const)
  for (const name of backend === 'webgpu' ? ON_WEBGPU : METHODS) {
    // Without WebGPU a fully tuned model is a model of its own: see engine.spec.ts.
    if (backend === 'wasm' && name.startsWith('full-')) continue;
    test(`${name} on ${backend}`, async ({ page }) => {
      await page.goto('/');
      const { difference, fromBase, generated, expected } = await run(
        page,
        'methodLogits',
        name,
        backend,
      );
      expect(difference).toBeLessThan(TOLERANCE);
      expect(fromBase).toBeGreaterThan(10 * TOLERANCE);
      expect(generated).toEqual(expected);
    });
  }
