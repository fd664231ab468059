/**
 * Plan: a buffer that there is no memory for is an error with its label and size, thrown by whoever waits
 * next and once; what was made in time is not affected; a run that finds no memory leaves none behind.
 */
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

  const failure = { code: 'out-of-memory', details: { label: 'large', size: 1024 } };

  it('whoever waits next is told, with label and size, once', async () => {
    limitMemory(gpu.device, 1000);
    gpu.createBuffer({ label: 'small', sizeBytes: 512 });
    await gpu.confirmAllocations();
    const large = gpu.createBuffer({ label: 'large', sizeBytes: 1024 });
    await expect(gpu.confirmAllocations()).rejects.toMatchObject(failure);
    await gpu.confirmAllocations();
    gpu.destroyBuffer(large);
    gpu.createBuffer({ label: 'small again', sizeBytes: 480 });
    await gpu.confirmAllocations();
  });

  it('checked work and checked submissions throw it', async () => {
    limitMemory(gpu.device, 1000);
    const large = () => void gpu.createBuffer({ label: 'large', sizeBytes: 1024 });
    await expect(gpu.checked('work', large)).rejects.toMatchObject(failure);
    await expect(gpu.submitChecked('work', large)).rejects.toMatchObject(failure);
    expect(await gpu.checked('control', () => 7)).toBe(7);
  });

  it('a run is refused wherever its memory ends, and leaves nothing behind', async () => {
    const golden = await openGolden('llama-tied');
    const { config } = golden;
    const weights = await ModelWeights.upload(gpu, config, golden.checkpoint.source);
    const ids = Int32Array.from({ length: 20 }, (_, i) => i);
    const create = () =>
      Trainer.create({
        ...{ gpu, config, weights },
        lora: readLoraConfig({ r: 2 }, 'test'),
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
