/** The bench's own arithmetic: what a ratio means, what a GPU's time is, what results are called equal. */
import { describe, expect, it } from 'vitest';
import { attentionOperations, refuseDifferentResults, worstError } from './attention-problem';
import { coveredMs, encoderSpans } from './gpu-watch';
import { recordsOf, type BenchRecord } from './report';
import { checkTargets, describeTargets } from './targets';

const where = { adapter: 'none', date: '2026-11-24' };
const figures = new Map([
  ['ours', 2],
  ['peer', 6],
]);

describe('a record', () => {
  it('has a ratio above 1 where more is better and ours has more', () => {
    const [record] = recordsOf('lora-step/x', 'tokens/s', figures, where);
    expect(record).toMatchObject({ ours: 2, peer: 'peer', theirs: 6, ratio: 0.333 });
  });

  it.each(['compile s', 'MB at the peak', 'dispatches a step', 'share of a step'])(
    'has a ratio above 1 where ours has less %s',
    (metric) => {
      expect(recordsOf('x', metric, figures, where)[0].ratio).toBe(3);
    },
  );

  it('is made of no figure that is missing', () => {
    expect(recordsOf('x', 'tokens/s', new Map([['peer', 6]]), where)).toEqual([]);
  });
});

describe('time in command buffers', () => {
  it('goes from the first pass of each to its last, and not from one to the next', () => {
    const [first, second] = [{}, {}];
    const spans = encoderSpans([
      { encoder: first, span: [1n, 2n] },
      { encoder: second, span: [9n, 10n] },
      { encoder: first, span: [4n, 6n] },
    ]);
    expect(spans).toEqual([
      [1n, 6n],
      [9n, 10n],
    ]);
  });
});

describe('time in passes', () => {
  it('is the sum of spans that lie apart, in any order', () => {
    expect(
      coveredMs([
        [5_000_000n, 6_000_000n],
        [1_000_000n, 3_000_000n],
      ]),
    ).toBe(3);
  });

  it('counts what two spans share once', () => {
    expect(
      coveredMs([
        [0n, 4_000_000n],
        [1_000_000n, 2_000_000n],
        [3_000_000n, 5_000_000n],
      ]),
    ).toBe(5);
  });

  it('is nothing where a span ends before it begins', () => {
    expect(coveredMs([[2n, 1n]])).toBe(0);
  });
});

describe('attention', () => {
  it('counts the causal triangle: two products forward, five more for the gradients', () => {
    const operations = attentionOperations({ B: 1, T: 3, H: 1, K: 1, D: 1 });
    // 6 visible pairs, a multiplication and an addition each.
    expect(operations).toEqual({ forward: 2 * 12, training: 7 * 12 });
  });

  const result = (value: number) => {
    const part = Float32Array.of(10, value);
    return { out: part, dQ: part, dK: part, dV: part };
  };
  const compare = (value: number) =>
    refuseDifferentResults(
      new Map([
        ['ours', result(1)],
        ['peer', result(value)],
      ]),
    );

  it('refuses results that differ by more than a thousandth of the largest, by name', () => {
    expect(() => compare(1.02)).toThrow(/out of peer differs/);
    expect(() => compare(NaN)).toThrow(/out of peer differs/);
  });

  it('takes results that differ by less', () => {
    expect(() => compare(1.005)).not.toThrow();
  });

  it('finds no error where nothing differs, and none that is a number where a length does', () => {
    expect(worstError(Float32Array.of(1, -2), Float32Array.of(1, -2))).toBe(0);
    expect(worstError(Float32Array.of(1), Float32Array.of(1, 2))).toBeNaN();
  });
});

describe('targets', () => {
  const row = (name: string, metric: string, peer: string, ratio: number): BenchRecord => ({
    ...{ name, metric, peer, ratio, ours: 1, theirs: 1 },
    ...where,
  });
  const short = (...of: [string, string, string, number][]) =>
    checkTargets(of.map((one) => row(...one))).short.map(({ record }) => record.ratio);

  it('three times the WebGPU peers, ahead of wasm, by the clock', () => {
    expect(
      short(
        ['lora-step/nano-lm', 'tokens/s', 'jax-js', 3],
        ['lora-step/nano-lm', 'tokens/s', 'tfjs-backend-webgpu', 2.99],
        ['lora-step/nano-lm', 'tokens/s', 'jax-js wasm', 0.99],
        ['lora-step/nano-lm', 'tokens/s of processor time', 'jax-js', 1],
        ['lora-step/nano-lm', 'compile s', 'jax-js', 0.1],
      ),
    ).toEqual([2.99, 0.99]);
  });

  it('a share of the peak for products of 512^3 and up', () => {
    expect(
      short(
        ['matmul/512x512x512/a-b/f16', 'GFLOP/s', 'peak', 0.34],
        ['matmul/1024x576x576', 'GFLOP/s', 'peak', 0.35],
        ['matmul/1024x576x8/a-bt/f32', 'GFLOP/s', 'peak', 0.1],
        ['matmul/512x512x512', 'GFLOP/s', 'jax-js', 0.3],
      ),
    ).toEqual([0.34]);
  });

  it('memory within a tenth of what was told, and under its limit', () => {
    expect(
      short(
        ['memory/x/f32', 'MB at the peak', 'predicted', 0.89],
        ['memory/x/f32', 'MB at the peak', 'predicted', 1.11],
        ['memory/x/f32', 'MB at the peak', 'predicted', NaN],
        ['memory/x/f32', 'MB at the peak', 'predicted', 1],
        ['memory/x/f32', 'MB at the peak', 'limit', 0.99],
      ),
    ).toEqual([0.89, 1.11, NaN, 0.99]);
  });

  it('says how many rows have one, and which miss it', () => {
    const found = checkTargets([
      row('matmul/512x512x512', 'GFLOP/s', 'peak', 0.2),
      row('attention/x', 'GFLOP/s', 'jax-js', 9),
    ]);
    expect(describeTargets(found)).toMatch(/^Short .*peak: 0.2, where 0.35 or more.*\n.*: 0 of 1 /);
  });
});
