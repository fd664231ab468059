/**
 * Plan: every page, in both languages and both themes, on a desktop and a phone, has no axe violation
 * (WCAG 2.2 AA), names its language, has one h1 and nothing that makes the page scroll sideways. The
 * states that a first visit does not show (a run, an answer, a dialog, an error) likewise.
 */
import { expect, test, type Locator, type Page } from '@playwright/test';
import { expectAccessible } from './expect-accessible';
import { openPage, PATHS } from './open-page';

for (const locale of ['zh-CN', 'en'] as const)
  for (const theme of ['light', 'night'] as const)
    for (const width of [1280, 390])
      test(`every page: ${locale}, ${theme}, ${width} px`, async ({ page }) => {
        for (const path of PATHS) {
          await openPage(page, path, { locale, theme, width });
          await page.waitForLoadState('networkidle');
          await expect(page.locator('html')).toHaveAttribute('lang', locale);
          await expect(page.locator('h1')).toHaveCount(1);
          await test.step(path, () => expectAccessible(page));
        }
      });

test('control: axe sees a field without a label', async ({ page }) => {
  await openPage(page, '/settings');
  await page.evaluate(() =>
    document.querySelector('main')?.append(document.createElement('input')),
  );
  await expect(expectAccessible(page)).rejects.toThrow(/label/);
});

for (const [locale, width, theme] of [
  ['zh-CN', 1280, 'night'],
  ['zh-CN', 390, 'light'],
  ['en', 1280, 'light'],
  ['en', 390, 'night'],
] as const)
  test(`a run, from data to its end: ${locale}, ${theme}, ${width} px`, async ({ page }) => {
    const say = (zh: string, en: string) => (locale === 'zh-CN' ? zh : en);
    const press = (name: string, within: Page | Locator = page) =>
      within.getByRole('button', { name, exact: true }).click();
    await openPage(page, '/train', { scenario: 'slow', locale, theme, width });
    await page
      .getByRole('radio', { name: say('医学问答（中文）', 'Medical questions (English)') })
      .first()
      .check();
    await page.getByText(say('模型会看到的样子', 'What the model will see')).click();
    await page.getByText(say('其余选项', 'Everything else')).click();
    await expectAccessible(page);
    await press(say('开始训练', 'Start training'));
    const run = page.locator('#run');
    await expect(run.getByText(say('剩余时间', 'Time left'))).toBeVisible();
    await expectAccessible(page);
    await press(say('暂停', 'Pause'));
    await expect(run.getByRole('button', { name: say('继续', 'Continue') })).toBeVisible();
    await expectAccessible(page);
    await press(say('停止并丢弃', 'Stop and discard'));
    await expectAccessible(page);
    await press(say('停止并保留', 'Stop and keep'), page.getByRole('dialog'));
    await expect(run.getByText(say('训练已停止', 'Training was stopped'))).toBeVisible();
    await expectAccessible(page);

    await openPage(page, '/train', { locale, theme, width });
    await press(say('开始训练', 'Start training'));
    await expect(run.getByText(say('训练完成', 'Training is finished'))).toBeVisible();
    await expectAccessible(page);
  });

test('answers side by side, and a failure', async ({ page }) => {
  await openPage(page, '/chat?model=nano-lm&adapter=adapter-1', { theme: 'night' });
  await page.getByLabel('Write your question').fill('Which department should I go to?');
  await page.keyboard.press('Enter');
  await expect(page.getByText('Orthopaedics', { exact: true })).toBeVisible();
  await expectAccessible(page);
});

for (const scenario of [
  'no-webgpu',
  'software-webgpu',
  'low-space',
  'private',
  'second-tab',
  'lists-fail',
  'fresh',
] as const)
  test(`the state ${scenario}`, async ({ page }) => {
    for (const path of PATHS) {
      await openPage(page, path, { scenario, locale: 'zh-CN', width: 390 });
      await page.waitForLoadState('networkidle');
      await test.step(path, () => expectAccessible(page));
    }
  });
