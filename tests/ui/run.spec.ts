/**
 * Plan: what a run is asked and how it ends, over the scripted engine. Answers as often as was said; a loss that
 * is no number any more, and going on from the last checkpoint at a third of the rate; two runs compared with
 * their evaluations and without.
 */
import { expect, test } from '@playwright/test';
import { expectAccessible } from './expect-accessible';
import { openPage } from './open-page';

test('the questions are asked as often as was said', async ({ page }) => {
  await openPage(page, '/train');
  await page.getByRole('radio', { name: /Medical questions \(English\)/ }).check();
  const every = page.getByRole('textbox', { name: /^Ask every so many steps/ });
  await every.fill('-1');
  await expect(page.getByRole('button', { name: 'Start training' })).toBeDisabled();
  await every.fill('25');
  await page.getByRole('button', { name: 'Start training' }).click();
  const run = page.locator('#run');
  await expect(run.getByText('step 25', { exact: true }).first()).toBeVisible();
  await expect(run.getByText('Training is finished')).toBeVisible();
  await expect(run.getByText('step 100', { exact: true }).first()).toBeVisible();
  await expect(run.getByText('step 40', { exact: true })).toHaveCount(0);
});

for (const [locale, theme, width] of [
  ['en', 'light', 1280],
  ['zh-CN', 'night', 390],
] as const)
  test(`a run that diverged goes on slower from its last checkpoint: ${locale}`, async ({
    page,
  }) => {
    const zh = locale === 'zh-CN';
    await openPage(page, '/train', { scenario: 'diverges', locale, theme, width });
    await page
      .getByRole('radio', { name: zh ? /医学问答（中文）/ : /Medical questions \(English\)/ })
      .check();
    await page
      .getByRole('textbox', { name: zh ? /^每隔几步提问/ : /^Ask every so many steps/ })
      .fill('30');
    await page.getByRole('button', { name: zh ? '开始训练' : 'Start training' }).click();
    const run = page.locator('#run');
    const onward = run.getByRole('button', {
      name: zh ? /三分之一，从第 40 步接着训练/ : 'Go on from step 40 at a third of the rate',
    });
    await expect(onward).toBeVisible();
    await expectAccessible(page);
    await onward.click();
    await expect(run.getByText(zh ? '训练完成' : 'Training is finished')).toBeVisible();
    // It is asked as often as before.
    const answeredAt = (step: number) =>
      run.locator('figure').getByText(zh ? `第 ${step} 步` : `step ${step}`, { exact: true });
    await expect(answeredAt(90).first()).toBeVisible();
    await expect(answeredAt(80)).toHaveCount(0);
    // A run of its own: the one that diverged stays as it was.
    await expect(
      page
        .locator('#history')
        .getByText(zh ? '未成功' : 'failed')
        .first(),
    ).toBeVisible();
  });

test('runs are compared with their evaluations and without', async ({ page }) => {
  await openPage(page, '/train');
  const history = page.locator('#history');
  await expect(history.getByText(/^Tick two to four runs/)).toBeVisible();
  for (const box of await history.getByRole('checkbox').all()) await box.check();
  const evals = history.getByRole('checkbox', { name: 'Show evaluation loss' });
  await expect(evals).toBeChecked();
  await history.getByText('Show as a table').first().click();
  const columns = history.getByRole('columnheader', { name: /evaluation loss/i });
  await expect(columns.first()).toBeVisible();
  await evals.click();
  await expect(columns).toHaveCount(0);
  await expectAccessible(page);
});
