/**
 * Everything in one file, on the built app with the browser's own storage: a stopped run goes out of one
 * browser and into another that knows nothing, goes on there, and ends in the bytes of one that was not
 * stopped. The same file once more adds nothing; a damaged one is refused and changes nothing.
 */
import { readFileSync } from 'node:fs';
import { expect, test, type Page } from '@playwright/test';
import { openTrain, reaches, startAgain, startRun, takeAdapter } from './short-run';

test.describe.configure({ timeout: 900_000 });

const give = (page: Page, buffer: Buffer) =>
  page
    .locator('#everything input[type=file]')
    .setInputFiles({ name: 'everything.zip', mimeType: 'application/zip', buffer });

test('a stopped run goes into another browser and on there', async ({ context, browser }) => {
  let page = await openTrain(context);
  await startRun(page);
  const expected = await takeAdapter(page);
  await page.close();

  page = await openTrain(context);
  await startAgain(page);
  await reaches(page, 5);
  await page.getByRole('button', { name: 'Stop and keep' }).click();
  await expect(page.getByText('Training was stopped')).toBeVisible();
  await page.getByRole('link', { name: 'Settings' }).first().click();
  const leaving = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export everything' }).click();
  const file = readFileSync(await (await leaving).path());
  const part = page.locator('#everything').getByRole('status');
  await expect(part).toContainText(/is written \(.*\): 2 runs\./);

  const other = await browser.newContext({ locale: 'en-GB' });
  page = await openTrain(other);
  await expect(page.locator('#history').getByText('There are no runs yet.')).toBeVisible();
  await page.getByRole('link', { name: 'Settings' }).first().click();
  const arrived = page.locator('#everything');
  const damaged = Buffer.from(file);
  damaged[damaged.length >> 1] ^= 1;
  await give(page, damaged);
  await expect(arrived.getByRole('alert')).toBeVisible();
  await give(page, file);
  await expect(arrived.getByRole('status')).toContainText('Added: 2 runs.');
  await give(page, file);
  await expect(arrived.getByRole('status')).toContainText('Nothing was added');

  await page.goto('/train');
  const history = page.locator('#history');
  await history.getByRole('button', { name: /^Go on training/ }).click();
  expect(await takeAdapter(page)).toEqual(expected);
  await other.close();
});
