/** A short run on the Train page of the built app, driven as a person would, and the adapter that it makes. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, type BrowserContext, type Page } from '@playwright/test';
import { readZip } from '../../src/lib/formats';
import { useLanguage } from './tour-page';

export const STEPS = 18;
export const RUN_TIMEOUT_MS = 300_000;

export async function openTrain(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  await useLanguage(page, 'en');
  await page.goto('/train');
  return page;
}

/** Short rows, dropout and shuffling as the recipe has them, a checkpoint every third step. */
export async function startRun(page: Page): Promise<void> {
  await page.getByRole('radio', { name: /Customer service \(English\)/ }).check();
  // What is filled in before it comes would keep it out.
  await expect(page.getByText('The recipe tuned for this sample is in use.')).toBeVisible();
  const fill = (name: RegExp, value: string) => page.getByRole('textbox', { name }).fill(value);
  await fill(/^Rows per batch/, '1');
  await fill(/^Batches per step/, '1');
  await fill(/^Maximum length/, '96');
  await page.getByText('Everything else').click();
  await fill(/^Maximum steps/, String(STEPS));
  await page.getByLabel(/^Checkpoints save_strategy/).selectOption('steps');
  await fill(/^Checkpoint every/, '3');
  await page.getByLabel(/^Questions it is asked/).fill('');
  await page.getByRole('button', { name: 'Start training' }).click();
}

/** On a page of its own, with the form as it was filled in on the page before. */
export async function startAgain(page: Page): Promise<void> {
  await expect(page.getByRole('radio', { name: /Customer service \(English\)/ })).toBeChecked();
  await expect(page.getByRole('textbox', { name: /^Maximum length/ })).toHaveValue('96');
  await expect(page.getByLabel(/^Questions it is asked/)).toHaveValue('');
  await page.getByRole('button', { name: 'Start training' }).click();
}

/** The run's own words about how far it is. */
export const reaches = (page: Page, step: number) =>
  expect
    .poll(
      async () => {
        const words = await page
          .locator('#run')
          .getByText(/^Step \d+ of/)
          .first()
          .textContent();
        return Number(/\d+/.exec(words ?? '')?.[0]);
      },
      { timeout: RUN_TIMEOUT_MS, intervals: [50] },
    )
    .toBeGreaterThanOrEqual(step);

/** SHA-256 of each file of the adapter that a finished run offers. */
export async function takeAdapter(page: Page): Promise<Record<string, string>> {
  const run = page.locator('#run');
  await expect(run.getByText('Training is finished')).toBeVisible({ timeout: RUN_TIMEOUT_MS });
  await run.getByRole('link', { name: 'Merge or export', exact: true }).click();
  const download = page.waitForEvent('download', { timeout: RUN_TIMEOUT_MS });
  await page.locator('#take').getByRole('button', { name: 'Export as zip' }).click();
  const entries = readZip(new Uint8Array(readFileSync(await (await download).path())));
  return Object.fromEntries(
    entries.map((entry) => [entry.name, createHash('sha256').update(entry.read()).digest('hex')]),
  );
}
