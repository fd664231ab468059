/**
 * Plan: what the Evaluate page asks, over the scripted engine. What the run held back comes first; its own data is
 * warned of, with one press back to the rows it held back, which keeps the keyboard's place; the report says the same
 * when it is read. axe looks at each state, in both languages.
 */
import { expect, test } from '@playwright/test';
import { expectAccessible } from './expect-accessible';
import { openPage } from './open-page';

const WORDS = {
  en: {
    questions: /^Questions/,
    learned: /learned from all of these \d+ questions/,
    meaning: /how well it remembers/,
    press: 'Use the held-back questions',
    start: 'Start the evaluation',
    clean: 'None of the adapters has learned from these questions.',
    title: /held back ·/,
  },
  'zh-CN': {
    questions: /^题目/,
    learned: '训练时全都学过',
    meaning: /反映它记住了多少/,
    press: '改用留出的题',
    start: '开始评测',
    clean: '参加评测的适配器都没有学过这些题。',
    title: /留出的题 ·/,
  },
};

for (const [locale, theme, width] of [
  ['en', 'night', 390],
  ['zh-CN', 'light', 1280],
] as const)
  test(`rows that were learned from, and rows that were not: ${locale}`, async ({ page }) => {
    const t = WORDS[locale];
    await openPage(page, '/evaluate?model=nano-lm&adapter=adapter-1', { locale, theme, width });
    const questions = page.getByRole('combobox', { name: t.questions });
    await expect(questions).toHaveValue('held:run-1');
    const warning = page.getByRole('group').getByRole('status');
    await expect(warning).toBeEmpty();

    await questions.selectOption('data:medical-zh');
    await expect(warning).toContainText(t.learned);
    await expect(warning).toContainText(t.meaning);
    await expectAccessible(page);
    await warning.getByRole('button', { name: t.press }).press('Enter');
    await expect(questions).toHaveValue('held:run-1');
    await expect(questions).toBeFocused();
    await expect(warning).toBeEmpty();

    const result = page.locator('#result');
    const start = page.getByRole('button', { name: t.start });
    await start.click();
    await expect(result.getByText(t.clean)).toBeVisible();
    await expect(result.getByText(t.title)).toBeVisible();
    await expectAccessible(page);

    await questions.selectOption('data:medical-zh');
    await start.click();
    await expect(result.getByText(t.learned)).toBeVisible();
    await expect(result.getByText(t.meaning)).toBeVisible();
    await expectAccessible(page);
  });

test('a run evaluates itself where rows are held back, on another data set too', async ({
  page,
}) => {
  await openPage(page, '/train', { width: 390 });
  await page.getByRole('radio', { name: /Medical questions \(English\)/ }).check();
  await page.getByText('Everything else').click();
  const strategy = page.getByLabel(/ eval_strategy$/);
  await expect(strategy).toHaveValue('epoch');
  await page.getByRole('radio', { name: 'Hold back a part of this data' }).check();
  const share = page.getByRole('slider', { name: 'Share held back for evaluation' });
  await share.fill('0');
  await expect(strategy).toHaveValue('no');
  await expect(page.locator('#recipe').getByRole('status').last()).toBeEmpty();
  await page.getByRole('radio', { name: 'Another of my data sets' }).check();
  await expect(strategy).toHaveValue('epoch');
  await expect(page.getByRole('combobox', { name: /^Data to evaluate on/ })).toHaveValue('clinic');
  await expectAccessible(page);
});
