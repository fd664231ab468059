/**
 * The main job on the built app, with the real engine on whatever GPU there is: tune the bundled
 * model, talk, evaluate, merge, take away; the figures; nothing leaves the origin.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from '@playwright/test';
import { readZip } from '../../src/lib/formats';
import { expectLearning, readTour, startTour, useLanguage, watchForeign } from './tour-page';

test.describe.configure({ timeout: 1_800_000 });

test('tunes the bundled model in English until it answers what it was not shown', async ({
  page,
}) => {
  const foreign = watchForeign(page);
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  await useLanguage(page, 'en');
  await page.goto('/');
  await startTour(page, 'en');
  const figures = await readTour(page, 'en');
  console.log(JSON.stringify({ tour: 'en', ...figures }));
  expectLearning(figures);

  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: /Save the adapter/ }).click();
  const file = await (await download).path();
  const names = readZip(new Uint8Array(readFileSync(file))).map(({ name }) => name);
  expect(names.sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);

  await page.getByRole('link', { name: 'Let both models answer side by side' }).click();
  await expect(page.getByLabel('Adapter')).toHaveValue(/adapter-/);
  await page.reload();
  await expect(page.getByLabel('Adapter')).toHaveValue(/adapter-/);

  expect(foreign).toEqual([]);
  expect(problems).toEqual([]);
});
