/**
 * The choice of a token. Plan:
 * - greedy: the first of the largest, whatever the seed; the logits given are not touched
 * - top_k, top_p and temperature leave the tokens that Python's transformers leaves, and draw them as
 *   often as their probabilities say (chi-square); an even seed of draws repeats bit for bit
 * - the repetition penalty pushes down seen tokens, positive and negative, once each
 */
import { describe, expect, it } from 'vitest';
import {
  createSampler,
  indexOfLargest,
  type SamplingOptions,
} from '../../src/lib/inference/sampler';

const OPTIONS: SamplingOptions = {
  temperature: 1,
  top_p: 1,
  top_k: 0,
  repetition_penalty: 1,
  seed: 1,
};

/** log of 0.5, 0.25, 0.15, 0.1, in another order than by size. */
const PROBABILITIES = [0.15, 0.5, 0.1, 0.25];
const logits = () => Float32Array.from(PROBABILITIES, Math.log);

function counts(options: Partial<SamplingOptions>, draws = 8000): number[] {
  const sample = createSampler({ ...OPTIONS, ...options });
  const result = [0, 0, 0, 0];
  for (let i = 0; i < draws; i++) result[sample([], logits())]++;
  return result;
}

/** Sum of (found - expected)^2 / expected; 16.27 is the 99.9 % point for three degrees of freedom. */
function chiSquare(found: number[], probabilities: number[]): number {
  const draws = found.reduce((a, b) => a + b, 0);
  return probabilities.reduce(
    (sum, p, i) =>
      p === 0 ? sum + found[i] * 1e9 : sum + (found[i] - p * draws) ** 2 / (p * draws),
    0,
  );
}

describe('greedy', () => {
  it('takes the first of the largest and leaves the logits alone', () => {
    const sample = createSampler({ ...OPTIONS, temperature: 0, repetition_penalty: 1.3 });
    const given = Float32Array.from([1, 3, 3, 2]);
    expect(sample([], given)).toBe(1);
    expect([...given]).toEqual([1, 3, 3, 2]);
    expect(sample([1n, 2n], given)).toBe(1);
  });

  it('never takes a NaN while there is a number', () => {
    expect(indexOfLargest(Float32Array.from([NaN, 1, NaN, 2]))).toBe(3);
    expect(indexOfLargest(Float32Array.from([-Infinity, -5]))).toBe(1);
  });
});

describe('drawing', () => {
  it('follows the probabilities', () => {
    expect(chiSquare(counts({}), PROBABILITIES)).toBeLessThan(16.27);
  });

  it('with a temperature of 2 follows their square roots', () => {
    const roots = PROBABILITIES.map(Math.sqrt);
    const sum = roots.reduce((a, b) => a + b, 0);
    expect(
      chiSquare(
        counts({ temperature: 2 }),
        roots.map((p) => p / sum),
      ),
    ).toBeLessThan(16.27);
  });

  it('with top_k 2 leaves the two most likely', () => {
    expect(chiSquare(counts({ top_k: 2 }), [0, 2 / 3, 0, 1 / 3])).toBeLessThan(16.27);
  });

  it('with top_p 0.7 leaves the fewest that cover it, the one that crosses it included', () => {
    expect(chiSquare(counts({ top_p: 0.7 }), [0, 2 / 3, 0, 1 / 3])).toBeLessThan(16.27);
    expect(chiSquare(counts({ top_p: 0.8 }), [0.15 / 0.9, 0.5 / 0.9, 0, 0.25 / 0.9])).toBeLessThan(
      16.27,
    );
    expect(counts({ top_p: 1e-9 }, 50)).toEqual([0, 50, 0, 0]);
  });

  it('repeats with a seed and differs with another', () => {
    const draw = (seed: number) => {
      const sample = createSampler({ ...OPTIONS, seed });
      return Array.from({ length: 64 }, () => sample([], logits()));
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(8)).not.toEqual(draw(7));
  });

  it('survives logits that are very low or infinite', () => {
    const sample = createSampler(OPTIONS);
    expect(sample([], Float32Array.from([-1e30, -Infinity, -1e30 + 1e24, -Infinity]))).not.toBe(1);
    expect(sample([], Float32Array.from([-Infinity, 0, -Infinity]))).toBe(1);
  });
});

describe('repetition penalty', () => {
  it('divides positive and multiplies negative logits of seen tokens, once each', () => {
    const choose = (seen: bigint[], values: number[]) =>
      createSampler({ ...OPTIONS, temperature: 0, repetition_penalty: 2 })(
        seen,
        Float32Array.from(values),
      );
    expect(choose([0n], [3, 2])).toBe(1);
    expect(choose([0n, 0n, 0n], [3, 1.4])).toBe(0);
    expect(choose([0n], [-1, -1.5])).toBe(1);
    expect(choose([], [3, 2])).toBe(0);
    expect(choose([99n], [3, 2])).toBe(0);
  });
});
