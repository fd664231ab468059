/**
 * The main job on the built app, with the real engine on whatever GPU there is, after one load and with the
 * server stopped for good: tune the bundled model, talk, evaluate, merge, take away; the figures; nothing
 * leaves the origin. In Chinese; the other specs are in English, and `npm run tour` walks it in both.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, test } from '@playwright/test';
import { findFreePort } from '../../scripts/free-port.mjs';
import { readZip } from '../../src/lib/formats';
import { expectLearning, readTour, startTour, useLanguage, watchForeign } from './tour-page';

test.describe.configure({ timeout: 1_800_000 });

let server: ChildProcess | undefined;
test.afterEach(() => void server?.kill());

test('tunes the bundled model without a server until it answers what it was not shown', async ({
  page,
}) => {
  const port = String(await findFreePort());
  const address = `http://localhost:${port}`;
  server = spawn(process.execPath, ['scripts/serve.mjs', '--port', port], { stdio: 'pipe' });
  await once(server.stdout!, 'data');
  const foreign = watchForeign(page);
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  await useLanguage(page, 'zh-CN');
  await page.goto(address);
  await expect(page.getByText(/^断网也能用：/)).toBeVisible({ timeout: 180_000 });

  server.kill();
  await once(server, 'exit');
  await expect(fetch(address)).rejects.toThrow();
  await page.reload();
  await startTour(page, 'zh-CN');
  const figures = await readTour(page, 'zh-CN');
  console.log(JSON.stringify({ tour: 'zh-CN', ...figures }));
  expectLearning(figures);

  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: /保存适配器/ }).click();
  const file = await (await download).path();
  const names = readZip(new Uint8Array(readFileSync(file))).map(({ name }) => name);
  expect(names.sort()).toEqual([
    'README.md',
    'adapter_config.json',
    'adapter_model.safetensors',
    'trainer_state.json',
  ]);

  await page.getByRole('link', { name: '让两个模型并排作答' }).click();
  await expect(page.getByLabel('适配器')).toHaveValue(/adapter-/);
  await page.reload();
  await expect(page.getByLabel('适配器')).toHaveValue(/adapter-/);

  for (const path of ['models', 'train', 'chat', 'evaluate', 'settings']) {
    await page.goto(`${address}/${path}`);
    await expect(page.locator('main h1')).toBeVisible();
  }
  expect(foreign).toEqual([]);
  expect(problems).toEqual([]);
});
