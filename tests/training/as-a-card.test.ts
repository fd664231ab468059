/**
 * Runs of transformers' Trainer on what graphics cards run: their attention, their cross-entropy, their splits of
 * products. Plan: with each variant of products and of attention that is measured on a card the same bits, within the tolerances of
 * goldens.test.ts; with the last of them other shapes of models, other arguments, and the methods that have kernels of their
 * own or other rows for them: DoRA, IA3, a prefix under a sliding window, weights of 4 bits.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '$lib/gpu';
import { candidateAttentionVariants, setAttentionVariant } from '$lib/kernels/attention-variant';
import { candidateMatmulVariants, setMatmulVariant } from '$lib/kernels/matmul-variant';
import { requestTestCard } from '../dawn';
import { relativeL2 } from '../goldens';
import { goldenRun, type GoldenRun } from './golden-run';

const STEP = 2e-4;
const FINAL = 3e-4;
/** A driver that has compiled none of it before takes a minute and a half of one core. */
const WITHOUT_CACHE_MS = 400_000;

describe('training as a graphics card', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestCard();
  });
  afterAll(() => gpu.dispose());

  const expectRun = ({ expected, steps, evaluations, ...run }: GoldenRun) => {
    expect(steps).toHaveLength(expected.steps.length);
    for (const [index, { loss, grad_norm, step }] of expected.steps.entries()) {
      expect(Math.abs(steps[index].loss / loss - 1), `step ${step}`).toBeLessThan(STEP);
      expect(Math.abs(steps[index].grad_norm / grad_norm - 1), `step ${step}`).toBeLessThan(STEP);
    }
    for (const [index, { eval_loss }] of (expected.evaluations ?? []).entries())
      expect(Math.abs(evaluations[index].eval_loss / eval_loss - 1)).toBeLessThan(STEP);
    for (const { key, offset, count } of run.parameters) {
      const slice = (values: Float32Array) => values.subarray(offset, offset + count);
      expect(relativeL2(slice(run.final), slice(run.expectedFinal)), key).toBeLessThan(FINAL);
    }
  };

  it(
    'gives the same bits with every variant of products and attention, and those of the Trainer',
    async () => {
      const finals: Float32Array[] = [];
      const tried = new Set<string>();
      const attention = candidateAttentionVariants(gpu);
      for (const [index, variant] of candidateMatmulVariants(gpu).entries()) {
        setMatmulVariant(gpu, variant);
        const attending = attention[index % attention.length];
        setAttentionVariant(gpu, attending);
        tried.add(attending);
        const run = await goldenRun(gpu, 'training/constant-alllinear-rslora');
        expectRun(run);
        finals.push(run.final);
      }
      expect(finals.length).toBeGreaterThan(1);
      expect([...tried]).toEqual(attention);
      for (const final of finals) expect(final).toEqual(finals[0]);
    },
    WITHOUT_CACHE_MS,
  );

  it.each([
    ...['training/qwen2-linear-bias', 'arguments/label-smoothing', 'arguments/packing'],
    ...['methods/dora', 'methods/ia3-llama', 'methods/prefix-mistral-sliding', 'methods/qlora'],
  ])('%s', async (folder) => {
    expect(gpu.isSoftware).toBe(false);
    expectRun(await goldenRun(gpu, folder));
  });
});
