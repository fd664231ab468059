/** `npx playwright test -c tests/browser`: the inference room in Chromium with a software GPU. */
import { existsSync } from 'node:fs';
import { defineConfig } from '@playwright/test';

const systemChromium = '/usr/bin/chromium';

export default defineConfig({
  testDir: '.',
  outputDir: '../../test-results/browser',
  timeout: 300_000,
  fullyParallel: false,
  workers: 1,
  reporter: 'list',
  use: {
    baseURL: 'http://localhost:4179',
    launchOptions: {
      executablePath: existsSync(systemChromium) ? systemChromium : undefined,
      args: ['--no-sandbox', '--enable-unsafe-webgpu'],
    },
    channel: existsSync(systemChromium) ? undefined : 'chromium',
  },
  webServer: {
    command: 'node serve.mjs',
    cwd: import.meta.dirname,
    url: 'http://localhost:4179',
    timeout: 180_000,
    reuseExistingServer: false,
  },
});
