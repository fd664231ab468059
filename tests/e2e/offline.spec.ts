/** After one load, with its server stopped for good, the app does the whole main job, in Chinese. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from '@playwright/test';
import { expectLearning, readTour, startTour, useLanguage } from './tour-page';

test.describe.configure({ timeout: 1_800_000 });

async function freePort(): Promise<number> {
  const probe = createServer().listen(0);
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  return port;
}

let server: ChildProcess | undefined;
test.afterEach(() => void server?.kill());

test('works with the server stopped after the first load', async ({ page }) => {
  const port = await freePort();
  server = spawn(process.execPath, ['scripts/serve.mjs', '--port', String(port)], {
    stdio: 'pipe',
  });
  await once(server.stdout!, 'data');
  await useLanguage(page, 'zh-CN');
  await page.goto(`http://localhost:${port}/`);
  await expect(page.getByText(/^断网也能用：/)).toBeVisible({ timeout: 180_000 });

  server.kill();
  await once(server, 'exit');
  await expect(fetch(`http://localhost:${port}/`)).rejects.toThrow();
  await page.reload();
  await startTour(page, 'zh-CN');
  const figures = await readTour(page, 'zh-CN');
  console.log(JSON.stringify({ tour: 'zh-CN', ...figures }));
  expectLearning(figures);

  for (const path of ['models', 'train', 'chat', 'evaluate', 'settings']) {
    await page.goto(`http://localhost:${port}/${path}`);
    await expect(page.locator('main h1')).toBeVisible();
  }
});
