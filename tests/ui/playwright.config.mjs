/** Pages over the scripted engine: what they show, and that axe finds nothing. `npx playwright test -c tests/ui/playwright.config.mjs` */
import { defineConfig, devices } from '@playwright/test';
import { chromiumOptions } from '../../scripts/chromium-options.mjs';

export default defineConfig({
  testDir: '.',
  testMatch: '*.spec.ts',
  outputDir: '../../test-results/ui',
  globalSetup: './global-setup.ts',
  // Most of a page's time is waiting for the script.
  workers: 2,
  fullyParallel: false,
  // Two browsers on two cores, each asked by axe for every element of a long page.
  timeout: 120_000,
  expect: { timeout: 20_000 },
  reporter: 'list',
  use: {
    ...devices['Desktop Chrome'],
    channel: chromiumOptions.executablePath ? undefined : 'chromium',
    launchOptions: chromiumOptions,
    baseURL: `http://localhost:${process.env.UI_TEST_PORT ?? 4199}`,
    locale: 'en-GB',
    timezoneId: 'UTC',
    serviceWorkers: 'block',
  },
});
