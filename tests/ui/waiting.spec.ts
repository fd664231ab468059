/**
 * Plan: an answer of a fully tuned model that waits for the evaluation of another says whose, is announced politely,
 * can be stopped meanwhile, and goes on by itself; so does an evaluation that waits for an answer, whose bar is then
 * no longer that of a wait. In both languages and themes; control: a chat with the base model says nothing of it.
 */
import { expect, test } from '@playwright/test';
import { expectAccessible } from './expect-accessible';
import { openPage } from './open-page';

for (const [locale, theme, width] of [
  ['en', 'light', 1280],
  ['zh-CN', 'night', 390],
] as const) {
  const say = (zh: string, en: string) => (locale === 'zh-CN' ? zh : en);
  const look = { scenario: 'waits', locale, theme, width } as const;
  const ofEvaluation =
    locale === 'en'
      ? /^Waiting for the evaluation of “.*门诊问答/
      : /^正在等“.*门诊问答.*”的评测结束/;
  const ofChat =
    locale === 'en' ? /^Waiting for the answer of “.*门诊问答/ : /^正在等“.*门诊问答.*”答完/;

  test(`an answer says that it waits for an evaluation: ${locale}`, async ({ page }) => {
    await openPage(page, '/chat?model=nano-lm&adapter=adapter-1', look);
    const narrow = page.getByRole('button', { name: '微调后' });
    const ask = async () => {
      await page.getByLabel(say('写下你的问题', 'Write your question')).fill(say('你好', 'Hello'));
      await page.keyboard.press('Enter');
    };
    await ask();
    // A phone shows one column at a time.
    if (await narrow.isVisible()) await narrow.click();
    const cell = page.locator('.tuned .cell').getByText(ofEvaluation);
    await expect(cell).toBeVisible();
    await expect(page.getByRole('status').filter({ hasText: ofEvaluation })).toBeAttached();
    await expect(page.locator('.base .cell').getByText(ofEvaluation)).toHaveCount(0);
    await expectAccessible(page);
    await page.getByRole('button', { name: say('停止', 'Stop'), exact: true }).click();
    await expect(cell).toHaveCount(0);
    await expect(page.getByText(say('已停止', 'stopped'), { exact: true })).toBeVisible();

    await ask();
    await expect(cell).toBeVisible();
    await expect(
      page.getByText(say('多休息，多喝温水。', 'Rest and drink warm water.'), { exact: true }),
    ).toBeVisible();
    await expect(cell).toHaveCount(0);
    await expect(page.getByRole('status').filter({ hasText: ofEvaluation })).toHaveCount(0);
  });

  test(`an evaluation says that it waits for an answer: ${locale}`, async ({ page }) => {
    await openPage(page, '/evaluate', look);
    await page.getByRole('button', { name: say('开始评测', 'Start the evaluation') }).click();
    await expect(page.getByText(ofChat).first()).toBeVisible();
    await expect(page.getByRole('status').filter({ hasText: ofChat })).toBeAttached();
    await expectAccessible(page);
    await expect(page.getByText(ofChat)).toHaveCount(0, { timeout: 15_000 });
    await expect(page.getByRole('progressbar')).toHaveCount(0);
  });
}
