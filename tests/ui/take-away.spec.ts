/** Plan: what was learned over 4 bits says, where it is merged, that it then lies on the full weights; others do not. */
import { expect, test } from '@playwright/test';
import { expectAccessible } from './expect-accessible';
import { openPage } from './open-page';

test('an adapter learned over 4 bits says what merging does to it', async ({ page }) => {
  await openPage(page, '/train', { width: 390 });
  await page.getByRole('radio', { name: /门诊问答/ }).check();
  await page.getByText('Everything else').click();
  await page.getByRole('checkbox', { name: /load_in_4bit$/ }).check();
  await page.getByRole('button', { name: 'Start training' }).click();
  await page.locator('#run').getByRole('link', { name: 'Merge or export' }).click();
  const told = page.locator('#take').getByText(/learned over weights in 4 bits/);
  await expect(told).toBeVisible();
  await expectAccessible(page);
  await page
    .locator('#take')
    .getByLabel('Adapter', { exact: true })
    .selectOption({ label: 'Base model (untuned)' });
  await expect(told).toBeHidden();
});
