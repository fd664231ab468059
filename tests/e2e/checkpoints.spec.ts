/**
 * A short run on the built app, with the real engine and the browser's own storage: what it will take is
 * said before, each checkpoint can be talked to, what is deleted is gone after a reload too, and a new name stays.
 */
import { expect, test } from '@playwright/test';
import { useLanguage } from './tour-page';

test.describe.configure({ timeout: 900_000 });

test('a checkpoint in the middle of a run can be talked to, kept and deleted', async ({ page }) => {
  await useLanguage(page, 'en');
  await page.goto('/train');
  await page.getByRole('radio', { name: /Customer service \(English\)/ }).check();
  // What is filled in before it comes would keep it out.
  await expect(page.getByText('The recipe tuned for this sample is in use.')).toBeVisible();
  const fill = (name: RegExp, value: string) => page.getByRole('textbox', { name }).fill(value);
  await fill(/^Rows per batch/, '1');
  await fill(/^Batches per step/, '1');
  await page.getByText('Everything else').click();
  await fill(/^Maximum steps/, '4');
  await page.getByLabel(/^Checkpoints save_strategy/).selectOption('steps');
  await fill(/^Checkpoint every/, '2');
  await page.getByLabel(/^Questions it is asked/).fill('');
  const prediction = page.getByText(/^About \d+ MB of graphics memory, 4 steps/);
  await expect(prediction).toBeVisible();
  await page.getByRole('button', { name: 'Start training' }).click();
  await expect(page.getByText('Training is finished')).toBeVisible({ timeout: 300_000 });
  const run = page.locator('#run');
  await expect(run.getByRole('link', { name: /^Talk to it: Step/ })).toHaveCount(2);

  await run.getByRole('link', { name: /^Talk to it: Step 2/ }).click();
  await expect(page.getByLabel('Adapter')).toHaveValue(/^adapter-.*-step-2$/);
  await page.getByText('Generation options').click();
  await fill(/^Longest answer/, '4');
  await page.getByLabel('Write your question').fill('Hello');
  await page.keyboard.press('Enter');
  await expect(page.getByText(/tokens\/s · first after/)).toHaveCount(2, { timeout: 300_000 });

  await page.goto('/train');
  const history = page.locator('#history');
  await history.getByRole('button', { name: /^Show/ }).click();
  await history.getByRole('button', { name: /^Delete: Step 2/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect(history.getByRole('link', { name: /^Talk to it: Step/ })).toHaveCount(1);
  await history.getByRole('button', { name: /^Rename: Customer/ }).click();
  await page.getByRole('dialog').getByRole('textbox', { name: 'Name' }).fill('The counter');
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await expect(history.getByRole('button', { name: 'Rename: The counter' })).toBeVisible();
  await page.reload();
  await history.getByRole('button', { name: 'Show: The counter' }).click();
  await expect(history.getByRole('link', { name: /^Talk to it: Step 4/ })).toBeVisible();
  await history.getByRole('button', { name: 'Delete: The counter' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect(history.getByText('There are no runs yet.')).toBeVisible();
  await page.goto('/chat');
  await expect(page.getByLabel('Adapter').locator('option')).toHaveCount(2);
});
