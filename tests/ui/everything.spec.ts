/**
 * Plan: everything goes into one file with its progress, its size and its counts, and again at a click; what
 * is not whole is named; a full device says so. Such a file comes in: what was added, what was here, what came
 * as a copy; settings follow only where none were chosen, the conversation is put before the one here; both
 * can be cancelled; a damaged and a newer file are refused in a sentence. Nothing of it while a run goes on.
 * axe looks at each state.
 */
import { readFile } from 'node:fs/promises';
import { expect, test, type Page } from '@playwright/test';
import { expectAccessible } from './expect-accessible';
import { openPage } from './open-page';

const part = (page: Page) => page.locator('#everything');
const exportButton = (page: Page) => part(page).getByRole('button', { name: 'Export everything' });

const give = (page: Page, content: string) =>
  part(page)
    .locator('input[type=file]')
    .setInputFiles({
      name: 'inkstone.zip',
      mimeType: 'application/zip',
      buffer: Buffer.from(content),
    });

test('everything goes into one file, and again at a click', async ({ page }) => {
  await openPage(page, '/settings', { width: 390 });
  await expectAccessible(page);
  const first = page.waitForEvent('download');
  await exportButton(page).press('Enter');
  const download = await first;
  expect(download.suggestedFilename()).toBe('inkstone-2026-11-24.zip');
  const kept = JSON.parse(await readFile(await download.path(), 'utf8')) as object;
  expect(kept).toMatchObject({ settings: { locale: 'en', theme: 'light' } });
  await expect(part(page).getByRole('status')).toContainText(
    /inkstone-2026-11-24\.zip is written \(\d+ bytes\): 1 model, .*report/,
  );
  await expectAccessible(page);
  const again = page.waitForEvent('download');
  await part(page).getByRole('button', { name: 'Save the file again' }).click();
  await again;
});

test('progress, time left, and cancelling', async ({ page }) => {
  await openPage(page, '/settings', { scenario: 'slow', theme: 'night', width: 390 });
  await exportButton(page).click();
  await expect(part(page).getByText(/MB of 24 MB · about \d+ sec left/)).toBeVisible();
  await expect(part(page).getByRole('progressbar', { name: 'Writing the file' })).toBeVisible();
  await expectAccessible(page);
  await part(page).getByRole('button', { name: 'Cancel' }).click();
  await expect(part(page).getByRole('status')).toHaveText('Cancelled. Nothing was changed.');
  await give(page, 'again');
  await expect(part(page).getByText('Comparing with what is here')).toBeVisible();
  await part(page).getByRole('button', { name: 'Cancel' }).click();
  await expect(part(page).getByRole('status')).toHaveText('Cancelled. Nothing was changed.');
  await expect(exportButton(page)).toBeEnabled();
});

test('what comes in is said: added, here already, copies', async ({ page }) => {
  await openPage(page, '/settings');
  const said = part(page).getByRole('status');
  await give(page, 'whole');
  await expect(said).toContainText('Added: 1 model, 2 data sets, 3 runs, 1 adapter, 1 report.');
  await give(page, 'again');
  await expect(said).toHaveText('Nothing was added: everything in the file is here already.');
  await give(page, 'copies');
  await expect(said).toContainText('Added: 1 model, 1 run.');
  await expect(said).toContainText('8 items were here already.');
  await expect(said).toContainText('2 of them came as copies');
  await expectAccessible(page);
});

test('the conversation comes before the one here; settings that were chosen stay', async ({
  page,
}) => {
  await openPage(page, '/settings', { theme: 'night' });
  const answer = { text: 'An old answer.', state: 'done' };
  const chat = { turns: [{ id: 1, question: 'An old question?', answers: { base: answer } }] };
  const hostile = { ...chat, generation: { top_p: '<b>' }, system: 7 };
  await give(
    page,
    JSON.stringify({ settings: { theme: 'light', locale: 'zh-CN' }, chat: hostile }),
  );
  await expect(part(page).getByRole('status')).toContainText('Added:');
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'night');
  await expect(page.locator('html')).toHaveAttribute('lang', 'en');
  await page.goto('/chat');
  await expect(page.getByText('An old question?')).toBeVisible();
  await expect(page.getByText('An old answer.')).toBeVisible();
});

for (const [content, sentence] of [
  ['damaged', /inkstone\.zip cannot be imported: the bytes of .* nothing was changed/],
  ['newer', /written by a newer Inkstone .* Reload the page/],
] as const)
  test(`a ${content} file is refused in a sentence`, async ({ page }) => {
    await openPage(page, '/settings');
    await give(page, content);
    await expect(part(page).getByRole('alert')).toContainText(sentence);
    await expect(part(page).getByRole('status')).toBeEmpty();
    await expectAccessible(page);
    await give(page, 'whole');
    await expect(part(page).getByRole('alert')).toHaveCount(0);
  });

test('a full device is told with what can be freed, and what is not whole by name', async ({
  page,
}) => {
  await openPage(page, '/settings', { scenario: 'storage-full' });
  await exportButton(page).click();
  await expect(part(page).getByRole('alert')).toContainText('is full');
  await expectAccessible(page);
  await openPage(page, '/settings', { scenario: 'low-space' });
  await exportButton(page).click();
  await expect(part(page).getByText(/nano-lm-clinic is no longer whole/)).toBeVisible();
  await expectAccessible(page);
});

test('nothing of it while a run goes on', async ({ page }) => {
  await openPage(page, '/train', { scenario: 'slow' });
  await page.getByRole('radio', { name: /Medical questions \(English\)/ }).check();
  await page.getByRole('button', { name: 'Start training' }).click();
  await expect(page.getByText(/^Step \d+ of 120/).first()).toBeVisible();
  await page.getByRole('link', { name: 'Settings' }).first().click();
  await expect(exportButton(page)).toBeDisabled();
  await expect(part(page).getByText(/Something is under way/)).toBeVisible();
});
