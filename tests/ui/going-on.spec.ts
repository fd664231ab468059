/**
 * Plan: questions that get no answer are told of while the run goes on; data that an unfinished run learns from, and an
 * adapter that an unfinished round starts from, are not deleted without a word; both languages.
 */
import { expect, test } from '@playwright/test';
import { expectAccessible } from './expect-accessible';
import { openPage } from './open-page';

for (const [locale, width] of [
  ['en', 1280],
  ['zh-CN', 390],
] as const)
  test(`an answer that fails ends nothing, and says so: ${locale}, ${width} px`, async ({
    page,
  }) => {
    const zh = locale === 'zh-CN';
    await openPage(page, '/train', { scenario: 'mute', locale, width });
    const long = '很长的题目'.repeat(40);
    await page.getByRole('radio', { name: /门诊问答/ }).check();
    await page
      .getByLabel(zh ? '训练时反复提问的题目' : /^Questions it is asked/)
      .fill(`short\n${long}`);
    await page.getByRole('button', { name: zh ? '开始训练' : 'Start training' }).click();
    const told = page
      .locator('#run')
      .getByText(zh ? /太长，这个模型读不下/ : /longer than this model/);
    await expect(told).toBeVisible();
    await expect(told).toContainText('很长的题目很长的题目');
    await expect(told).not.toContainText(long);
    await expectAccessible(page);
    await expect(
      page.locator('#run').getByText(zh ? '训练完成' : 'Training is finished'),
    ).toBeVisible();
  });

test('data that an unfinished run learns from is not deleted without a word', async ({ page }) => {
  await openPage(page, '/train');
  const erase = page.getByRole('button', { name: 'Delete: 门诊问答.jsonl', exact: true });
  const dialog = page.getByRole('dialog');
  await erase.click();
  await expect(dialog).not.toContainText('These runs are not finished');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('radio', { name: /门诊问答/ }).check();
  await page.getByRole('button', { name: 'Start training' }).click();
  await expect(page.getByText(/^Step (4[1-9]|5\d) of 120/).first()).toBeVisible();
  await page.getByRole('button', { name: 'Stop and keep' }).click();
  await expect(page.locator('#run').getByText('Training was stopped')).toBeVisible();
  await erase.click();
  await expect(dialog).toContainText('These runs are not finished and learn from it: 门诊问答');
  await expectAccessible(page);
});

for (const [locale, width, word] of [
  ['en', 1280, 'These runs are not finished and start from it: 第二轮'],
  ['zh-CN', 390, '第二轮'],
] as const)
  test(`an adapter that an unfinished round starts from is not deleted without a word: ${locale}, ${width} px`, async ({
    page,
  }) => {
    const zh = locale === 'zh-CN';
    const dialog = page.getByRole('dialog');
    const erase = (name: string | RegExp) => page.getByRole('button', { name }).first().click();
    const cancel = () => dialog.getByRole('button', { name: zh ? '取消' : 'Cancel' }).click();
    await openPage(page, '/train', { scenario: 'broken-round', locale, width });
    await erase(zh ? /^删除: 医学问答样例/ : /^Delete: 医学问答样例/);
    await expect(dialog).not.toContainText(word);
    await dialog.getByRole('checkbox').click();
    await expect(dialog).toContainText(word);
    await expectAccessible(page);
    await cancel();
    await openPage(page, '/models', { scenario: 'broken-round', locale, width });
    await erase(/: (Step 120|第 120 步) · 医学问答样例/);
    await expect(dialog).toContainText(word);
    await cancel();
    await erase(/^(Delete|删除): 门诊问答/);
    await expect(dialog).toBeVisible();
    await expect(dialog).not.toContainText(word);
  });
