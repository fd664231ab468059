/**
 * Tests in a real Chromium against the built page, served as `npm start` serves it. Projects: `e2e`, and
 * `tour`, which walks the main job once and leaves pictures and figures in tests/e2e/out.
 * Needs a build: `npm test`, `npm run tour` make one; `npm run test:e2e` takes the one that is there.
 */
import { defineConfig, devices } from '@playwright/test';
import { chromiumOptions } from './scripts/chromium-options.mjs';

const port = Number(process.env.INKSTONE_PORT ?? 4183);
const baseURL = `http://localhost:${port}`;

const chromium = {
  ...devices['Desktop Chrome'],
  // The new headless mode is the full browser: with WebGPU, service workers and installable apps.
  channel: chromiumOptions.executablePath ? undefined : 'chromium',
  launchOptions: chromiumOptions,
};

/** A software GPU shares the processor with everything else. */
const SLOW = { test: 300_000, expect: 60_000 };

export default defineConfig({
  testDir: 'tests/e2e',
  outputDir: 'test-results/e2e',
  workers: 1,
  fullyParallel: false,
  retries: 0,
  forbidOnly: !!process.env.CI,
  timeout: SLOW.test,
  expect: { timeout: SLOW.expect },
  reporter: 'list',
  use: {
    baseURL,
    locale: 'en-GB',
    timezoneId: 'UTC',
    trace: 'off',
    screenshot: 'only-on-failure',
    actionTimeout: 60_000,
    navigationTimeout: 60_000,
  },
  projects: [
    { name: 'e2e', testIgnore: 'tour.spec.ts', use: chromium },
    { name: 'tour', testMatch: 'tour.spec.ts', timeout: 1_800_000, use: chromium },
  ],
  webServer: {
    command: `node scripts/serve.mjs --port ${port}`,
    url: baseURL,
    timeout: 30_000,
    reuseExistingServer: false,
  },
});
