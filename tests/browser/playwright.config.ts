/** `npx playwright test -c tests/browser`: the rooms that need a browser, in Chromium with a software GPU. */
import { defineConfig } from '@playwright/test';
import { chromiumOptions } from '../../scripts/chromium-options.mjs';

export default defineConfig({
  testDir: '.',
  outputDir: '../../test-results/browser',
  // A software GPU on a busy machine decodes a token a second.
  timeout: 600_000,
  // One at a time leaves some of two cores idle.
  fullyParallel: true,
  workers: 2,
  reporter: 'list',
  use: {
    baseURL: 'http://localhost:4179',
    channel: chromiumOptions.executablePath ? undefined : 'chromium',
    launchOptions: chromiumOptions,
  },
  webServer: {
    command: 'node serve.mjs',
    cwd: import.meta.dirname,
    url: 'http://localhost:4179',
    timeout: 180_000,
    reuseExistingServer: false,
  },
});
