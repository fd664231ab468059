/**
 * Plan: a schedule brings its own fields and takes them along when it goes; choices that do not go together
 * are told in a sentence that holds the start back, and one press after the other mends them; a choice
 * that the device or the run has no use for is not offered; a start asks for its rank; what was asked for is what a run is started with. axe looks at each state, in both languages.
 */
import { expect, test, type Page } from '@playwright/test';
import { expectAccessible } from './expect-accessible';
import { openPage } from './open-page';

const field = (page: Page, code: string) =>
  page.getByRole('textbox', { name: new RegExp(` ${code}$`) });
const choice = (page: Page, code: string) => page.getByLabel(new RegExp(` ${code}$`));

/** The last one; above it is told what came of loading settings. */
const conflictOf = (page: Page) => page.locator('#recipe').getByRole('status').last();

test('a schedule brings its own fields', async ({ page }) => {
  await openPage(page, '/train', { width: 390 });
  await page.getByText('Everything else').click();
  const schedule = choice(page, 'lr_scheduler_type');
  await expect(schedule.locator('option')).toHaveCount(10);
  await expect(field(page, 'num_cycles')).toHaveCount(0);
  await schedule.selectOption('cosine_with_restarts');
  await expect(field(page, 'num_cycles')).toHaveValue('1');
  await field(page, 'num_cycles').fill('3');
  await schedule.selectOption('polynomial');
  await expect(field(page, 'num_cycles')).toHaveCount(0);
  await expect(field(page, 'power')).toHaveValue('1');
  await expect(field(page, 'lr_end')).toHaveValue('1e-7');
  await schedule.selectOption('cosine_with_min_lr');
  await expect(field(page, 'num_cycles')).toHaveValue('0.5');
  await expect(field(page, 'min_lr_rate')).toHaveValue('0.1');
  await field(page, 'min_lr').fill('1e-6');
  await expect(field(page, 'min_lr_rate')).toHaveValue('0');
  await schedule.selectOption('warmup_stable_decay');
  await expect(field(page, 'num_decay_steps')).toHaveValue('10');
  await expect(choice(page, 'decay_type')).toHaveValue('cosine');
  await expectAccessible(page);
});

test('products in 16 bits are offered where the device computes in 16 bits', async ({ page }) => {
  const fp16 = page.getByRole('checkbox', { name: /fp16$/ });
  await openPage(page, '/train', { scenario: 'software-webgpu' });
  await page.getByText('Everything else').click();
  await expect(page.getByRole('checkbox', { name: /packing$/ })).toBeVisible();
  await expect(fp16).toHaveCount(0);
  await openPage(page, '/train');
  await page.getByText('Everything else').click();
  await fp16.check();
  await expect(conflictOf(page)).toBeEmpty();
  await expect(fp16).toBeChecked();
});

for (const [locale, title, words] of [
  ['en', 'Everything else', 'tokens put first'],
  ['zh-CN', '其余选项', '词元准确率'],
] as const)
  test(`what counts as best is chosen where the run evaluates itself: ${locale}`, async ({
    page,
  }) => {
    await openPage(page, '/train', { locale, width: locale === 'en' ? 1280 : 390 });
    await page.getByText(title).click();
    const [evaluate, metric, way] = [
      'eval_strategy',
      'metric_for_best_model',
      'greater_is_better',
    ].map((code) => choice(page, code));
    await evaluate.selectOption('no');
    await expect(metric).toHaveCount(0);
    await expect(way).toHaveCount(0);
    await evaluate.selectOption('epoch');
    await expect(metric).toHaveValue('none');
    await expect(metric.locator('option')).toHaveCount(3);
    await metric.selectOption('eval_mean_token_accuracy');
    await expect(metric.locator('option').last()).toContainText(words);
    await expectAccessible(page);
    // What is chosen does not go out of sight.
    await evaluate.selectOption('no');
    await expect(metric).toHaveValue('eval_mean_token_accuracy');
  });

for (const [locale, title, words, start] of [
  ['en', 'Everything else', 'needs evaluations while training', 'Start training'],
  ['zh-CN', '其余选项', '要靠训练中的评测', '开始训练'],
] as const)
  test(`choices that do not go together: a sentence, and a press that mends it: ${locale}`, async ({
    page,
  }) => {
    await openPage(page, '/train', {
      locale,
      theme: locale === 'en' ? 'night' : 'light',
      width: 390,
    });
    await page
      .getByRole('radio', { name: /English|英文/ })
      .first()
      .check();
    await page.getByText(title).click();
    const begin = page.getByRole('button', { name: start });
    await expect(begin).toBeEnabled();
    const conflict = conflictOf(page);
    await page.getByRole('checkbox', { name: /load_best_model_at_end$/ }).check();
    await choice(page, 'save_strategy').selectOption('steps');
    await expect(conflict).toContainText(words);
    await expect(begin).toBeDisabled();
    await expectAccessible(page);
    await field(page, 'eval_steps').fill('7');
    await field(page, 'save_steps').fill('10');
    await conflict.getByRole('button').click();
    await expect(choice(page, 'eval_strategy')).toHaveValue('steps');
    await expect(conflict).toContainText('14');
    await conflict.getByRole('button').click();
    await expect(field(page, 'save_steps')).toHaveValue('14');
    await expect(conflict).toBeEmpty();
    await expect(begin).toBeEnabled();
    await choice(page, 'save_strategy').selectOption('epoch');
    await conflict.getByRole('button').click();
    await expect(choice(page, 'save_strategy')).toHaveValue('steps');
    await choice(page, 'lr_scheduler_type').selectOption('polynomial');
    await field(page, 'lr_end').fill('1');
    await expect(begin).toBeDisabled();
    await conflict.getByRole('button').click();
    await expect(conflict).toBeEmpty();
    await begin.click();
    await expect(page.locator('#run').getByText(/ 120/).first()).toBeVisible();
  });

for (const [locale, title, words] of [
  ['en', 'Everything else', 'takes even ranks alone, and the rank is 7; 8 would do'],
  ['zh-CN', '其余选项', '秩须是偶数，而现在是 7；可以改成 8'],
] as const)
  test(`where a run starts, and the rank that a start asks for: ${locale}`, async ({ page }) => {
    await openPage(page, '/train', { locale, width: 390 });
    await page.getByText(title).click();
    const start = choice(page, 'init_lora_weights');
    await expect(start.locator('option')).toHaveCount(7);
    await field(page, 'r').fill('7');
    await expect(conflictOf(page)).toBeEmpty();
    await start.selectOption('orthogonal');
    await expect(conflictOf(page)).toContainText(words);
    await expectAccessible(page);
    await conflictOf(page).getByRole('button').click();
    await expect(field(page, 'r')).toHaveValue('8');
    await expect(conflictOf(page)).toBeEmpty();
    // DoRA goes with what leaves the base alone, and shows what counts for it.
    await page.getByRole('radio', { name: /DoRA/ }).check();
    await expect(start).toHaveValue('orthogonal');
    await expect(start.locator('option')).toHaveCount(4);
    await page.getByRole('radio', { name: /^LoRA/ }).check();
    await start.selectOption('olora');
    await page.getByRole('radio', { name: /DoRA/ }).check();
    await expect(start).toHaveValue('true');
    await start.selectOption('false');
    await expect(start).toHaveValue('false');
  });
