/**
 * Plan: every page, in both languages and both themes, on a desktop and a phone, has no axe violation
 * (WCAG 2.2 AA), names its language, has one h1 and nothing that makes the page scroll sideways. The
 * states that a first visit does not show (a run, an answer, a dialog, an error) likewise.
 */
import { expect, test } from '@playwright/test';
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

for (const theme of ['light', 'night'] as const)
  test(`a run, from data to its end: ${theme}`, async ({ page }) => {
    await openPage(page, '/train', { scenario: 'slow', theme, width: 390 });
    await page.getByRole('radio', { name: /Medical questions \(English\)/ }).check();
    await page.getByText('What the model will see').click();
    await page.getByText('Everything else').click();
    await expectAccessible(page);
    await page.getByRole('button', { name: 'Start training' }).click();
    await expect(page.getByText(/^Step \d+ of 120/).first()).toBeVisible();
    await expectAccessible(page);
    await page.getByRole('button', { name: 'Stop and discard' }).click();
    await expectAccessible(page);
    await page.getByRole('dialog').getByRole('button', { name: 'Stop and keep' }).click();
    await expect(page.getByText('Training was stopped')).toBeVisible();
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
