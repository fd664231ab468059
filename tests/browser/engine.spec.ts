/**
 * The engine in Chromium on its software GPU. Plan:
 * - by itself it trains on WebGPU and talks on the processor there, and says both
 * - asked to, it talks on WebGPU over the trainer's weights: the same answers of base, of the adapter under
 *   training and of the adapter kept
 * - the processor's copy of the weights goes when the model is closed
 */
import { expect, test } from '@playwright/test';
import { run } from './run-scenario';

test('trains on WebGPU, talks on the processor, with the answers of the shared weights', async ({
  page,
}) => {
  await page.goto('/');
  const own = await run(page, 'engineTrainsAndTalks', 'auto');
  expect(own.device).toMatchObject({
    backend: 'webgpu',
    talksOn: 'wasm',
    isSoftwareAdapter: true,
  });
  expect(own.model).toMatchObject({ backend: 'webgpu', talksOn: 'wasm' });
  expect(own.status).toBe('finished');
  // What was read back from the trainer is what the checkpoint holds.
  expect(own.samples.at(-1)).toEqual({ step: 12, text: own.tuned.text });
  expect(own.samples[0]).toEqual({ step: 0, text: own.base.text });
  expect(own.tuned.text).not.toBe(own.base.text);
  expect(own.again.text).toBe(own.base.text);
  // What the model can never take in is told of once, and not asked again.
  expect(own.unanswered).toEqual([{ step: 0, code: 'prompt-too-long' }]);

  const shared = await run(page, 'engineTrainsAndTalks', 'webgpu');
  expect(shared.device).toMatchObject({ backend: 'webgpu', talksOn: 'webgpu' });
  expect(shared.model).toMatchObject({ backend: 'webgpu', talksOn: 'webgpu' });
  // Slow answers come less often.
  expect(shared.samples.length).toBeGreaterThan(1);
  expect(own.samples).toEqual(expect.arrayContaining(shared.samples));
  expect([shared.base.text, shared.tuned.text]).toEqual([own.base.text, own.tuned.text]);
  const speedOf = ({ base, tuned }: typeof own) =>
    [base, tuned].map(({ tokensPerSecond }) => Number(tokensPerSecond.toFixed(1)));
  console.log('tokens/s of base and adapter', { wasm: speedOf(own), webgpu: speedOf(shared) });
});

test("the processor's copy of the weights goes when the model is closed", async ({ page }) => {
  await page.goto('/');
  const { closed, open } = await run(page, 'engineGivesMemoryBack', 4);
  console.log('WebAssembly memory', closed, open);
  expect(closed[0]).toBeGreaterThan(0);
  expect(closed.at(-1)).toBe(closed[1]);
  expect(open).toBeGreaterThan(closed[1]);
});
