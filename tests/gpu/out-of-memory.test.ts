/** Plan: a run that finds no memory, wherever it ends, is refused by its code and leaves none behind. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_TRAINING_ARGUMENTS, readLoraConfig } from '$lib/config';
import { ModelWeights } from '$lib/decoder';
import type { Gpu } from '$lib/gpu';
import { Trainer } from '$lib/training';
import { requestTestGpu } from '../dawn';
import { openGolden } from '../goldens';
import { limitMemory } from './scarce-memory';

describe('without memory for a buffer', () => {
  let gpu: Gpu;
  beforeEach(async () => {
    gpu = await requestTestGpu();
  });
  afterEach(() => gpu.dispose());

  it('a run is refused wherever its memory ends, and leaves nothing behind', async () => {
    const golden = await openGolden('llama-tied');
    const { config } = golden;
    const weights = await ModelWeights.upload(gpu, config, golden.checkpoint.source);
    const ids = Int32Array.from({ length: 20 }, (_, i) => i);
    const create = () =>
      Trainer.create({
        ...{ gpu, config, weights },
        peft: readLoraConfig({ r: 2 }, 'test'),
        args: DEFAULT_TRAINING_ARGUMENTS,
        rows: [{ inputIds: ids, labels: ids }],
      });
    const before = gpu.liveBytes;
    const control = await create();
    const needed = gpu.liveBytes - before;
    control.dispose();
    await gpu.idle();
    expect(gpu.liveBytes).toBe(before);
    const allow = limitMemory(gpu.device, Infinity);
    for (const share of [0.01, 0.2, 0.5, 0.9, 0.999]) {
      allow(share * needed);
      await expect(create(), `${share} of the memory`).rejects.toMatchObject({
        code: 'out-of-memory',
      });
      await gpu.idle();
      expect(gpu.liveBytes).toBe(before);
    }
    allow(needed);
    (await create()).dispose();
  });
});
