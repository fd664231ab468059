/**
 * ONNX Runtime from damaged files, in Chromium. Plan:
 * - an empty, a cut and a foreign wasm file are refused by name, soon, on both backends, and the next try in
 *   the same thread works once the file is whole: the control
 * - a file that a cache kept damaged is asked for anew
 * - threads that never answer end in a sentence, not in silence
 */
import { expect, test, type Page, type Route } from '@playwright/test';
import { run } from './run-scenario';

const DAMAGES: Readonly<Record<string, (file: Buffer) => Buffer>> = {
  empty: () => Buffer.alloc(0),
  cut: (file) => file.subarray(0, file.length - 1000),
  'a web page': () => Buffer.from('<!doctype html><title>Not found</title>'),
};

/** Damages the first answers. */
async function damageFirst(page: Page, count: number, damage: (file: Buffer) => Buffer) {
  let answered = 0;
  await page.context().route('**/*.wasm', async (route: Route) => {
    const response = await route.fetch();
    const file = await response.body();
    await route.fulfill({ response, body: answered++ < count ? damage(file) : file });
  });
  await page.goto('/');
  return () => answered;
}

for (const backend of ['webgpu', 'wasm'])
  for (const [name, damage] of Object.entries(DAMAGES))
    test(`${backend}: a wasm file that is ${name} is refused, a whole one is taken`, async ({
      page,
    }) => {
      await damageFirst(page, 2, damage);
      const [refused, taken] = await run(page, 'loadAgain', backend, 2);
      expect(refused).toMatchObject({ code: 'runtime', retryable: true });
      expect(refused.message).toMatch(
        /^ort-wasm-simd-threaded.*\.wasm is no WebAssembly .* damaged/,
      );
      expect(refused.elapsedMs).toBeLessThan(30_000);
      expect(taken.code).toBe('loaded');
    });

test('a copy that was kept damaged is asked for anew', async ({ page }) => {
  const answered = await damageFirst(page, 1, DAMAGES.cut);
  expect(await run(page, 'loadAgain', 'wasm', 1)).toMatchObject([{ code: 'loaded' }]);
  expect(answered()).toBe(2);
});

test('threads that never answer end in a sentence', async ({ page }) => {
  await page.goto('/');
  const { code, message, retryable } = await run(page, 'loadWithSilentThreads', 'wasm');
  expect({ code, retryable }).toEqual({ code: 'runtime', retryable: false });
  expect(message).toContain('did not start: nothing happened for 60 seconds');
});
