/**
 * Decoding speed of a model as large as the bundled one, printed for the bench log; not a pass or fail.
 *   INKSTONE_SPEED=1 npx playwright test -c tests/browser speed
 */
import { test } from '@playwright/test';
import type {} from './harness/page';

test.skip(!process.env.INKSTONE_SPEED, 'only when INKSTONE_SPEED is set');

for (const backend of ['webgpu', 'wasm'])
  test(`speed on ${backend}`, async ({ page }) => {
    await page.goto('/');
    const { createMs, runs } = await page.evaluate(
      (backend) => window.runScenario('speed', 'random-nano', backend),
      backend,
    );
    console.log(`${backend}: created in ${Math.round(createMs)} ms`);
    for (const { firstTokenMs, tokensPerSecond, newTokens } of runs)
      console.log(
        `  first token of 64 after ${Math.round(firstTokenMs)} ms, then ${tokensPerSecond.toFixed(1)} tokens/s over ${newTokens}`,
      );
  });
