import { describe, expect, it } from 'vitest';
import { surplusCheckpoints } from '$lib/training';

describe('save_total_limit', () => {
  it('gives up the oldest beyond the limit', () => {
    expect(surplusCheckpoints([30, 10, 20, 40], 40, 3)).toEqual([10]);
    expect(surplusCheckpoints([10, 20, 30], 30, 1)).toEqual([10, 20]);
    expect(surplusCheckpoints([10, 20, 30], 30, 3)).toEqual([]);
    expect(surplusCheckpoints([], 10, 1)).toEqual([]);
  });
  it('without a limit gives up none', () => {
    expect(surplusCheckpoints([10, 20, 30], 30, null)).toEqual([]);
  });
  it('spares the one just written where later ones are left from an earlier life of the run', () => {
    expect(surplusCheckpoints([10, 20, 30], 10, 2)).toEqual([20]);
  });
});
