/**
 * A session's own tables in GPU memory. Plan: where they find none, whoever makes the session is told, and nobody after
 * it; nothing is left. Control: with memory they are made, and given back with what the session could not do. A stand-in
 * for ONNX Runtime takes no model: its files are not served to Node.
 */
import { expect, it, vi } from 'vitest';
import { ModelWeights } from '$lib/decoder';
import { TextSession } from '$lib/inference';
import { requestTestGpu } from '../dawn';
import { openGolden } from '../goldens';
import { limitMemory } from '../gpu/scarce-memory';

vi.mock('../../src/lib/inference/runtime', () => ({
  loadRuntime: async () => ({
    ort: {
      Tensor: { fromGpuBuffer: () => ({}) },
      InferenceSession: { create: () => Promise.reject(new Error('it takes no model')) },
    },
  }),
  exclusively: <T>(work: () => Promise<T>) => work(),
}));

it('a session that finds no memory for its tables is refused, and nobody else is', async () => {
  const gpu = await requestTestGpu();
  const { config, checkpoint } = await openGolden('llama-tied');
  const weights = await ModelWeights.upload(gpu, config, checkpoint.source);
  const before = [gpu.liveCount, gpu.liveBytes];
  const allow = limitMemory(gpu.device, Infinity);
  const tokenizer = {} as Parameters<typeof TextSession.create>[0]['tokenizer'];
  const create = () =>
    TextSession.create({
      ...{ config, rawConfig: {}, tokenizer },
      gpu: { device: gpu.forOwner(), weights: weights.tensors },
    });
  allow(4);
  const refused = create().catch((error: unknown) => error);
  await gpu.checked('a step meanwhile', () => undefined);
  expect(await refused).toMatchObject({ code: 'out-of-memory' });
  await gpu.checked('a step after it', () => undefined);
  expect([gpu.liveCount, gpu.liveBytes]).toEqual(before);

  allow(Infinity);
  await expect(create()).rejects.toMatchObject({ code: 'session' });
  expect([gpu.liveCount, gpu.liveBytes]).toEqual(before);
  gpu.dispose();
});
