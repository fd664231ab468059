/**
 * Plan: what a run says while it goes, what it is asked and how it ends, over the scripted engine. Its figures, and
 * that the screen stays on for as long as it does; answers as often as was said; a loss that
 * is no number any more, and going on from the last checkpoint at a third of the rate; two runs compared with
 * their evaluations and without, and shown under a new name.
 */
import { expect, test, type Page } from '@playwright/test';
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

for (const locale of ['en', 'zh-CN'] as const)
  test(`answers as long as was said, and cut ones say so: ${locale}`, async ({ page }) => {
    const isEnglish = locale === 'en';
    await openPage(page, '/train', { locale });
    const data = isEnglish ? /Medical questions \(English\)/ : /（英文）/;
    await page.getByRole('radio', { name: data }).check();
    const start = page.getByRole('button', { name: isEnglish ? 'Start training' : '开始训练' });
    const length = page.locator('#run').getByRole('textbox', { name: /max_new_tokens/ });
    await expect(length).toHaveValue('48');
    await length.fill('4097');
    await expect(page.locator('#run').getByText(/4,?096/)).toBeVisible();
    await expect(start).toBeDisabled();
    await length.fill('6');
    await start.click();
    const cut = page
      .locator('#run')
      .getByText(isEnglish ? 'Cut after 6 tokens.' : /到 6 个词元为止/);
    await expect(cut.first()).toBeVisible();
    await expectAccessible(page);
  });

/** A browser that lets the screen be kept on; `takeScreenLock` is the system, which takes it away. */
const grantScreenLock = (page: Page) =>
  page.addInitScript(() => {
    let held: EventTarget | undefined;
    const request = async () => {
      const lock = new EventTarget();
      held = lock;
      const release = async () => void lock.dispatchEvent(new Event('release'));
      return Object.assign(lock, { release });
    };
    Object.defineProperty(navigator, 'wakeLock', { value: { request } });
    Object.assign(window, { takeScreenLock: () => held?.dispatchEvent(new Event('release')) });
  });

for (const locale of ['en', 'zh-CN'] as const)
  test(`a run under way says what it does, and that the screen stays on: ${locale}`, async ({
    page,
  }) => {
    const say = (zh: string, en: string) => (locale === 'zh-CN' ? zh : en);
    await grantScreenLock(page);
    await openPage(page, '/train', { scenario: 'slow', locale, width: 390 });
    await page
      .getByRole('radio', { name: say('医学问答（中文）', 'Medical questions (English)') })
      .first()
      .check();
    await page.getByRole('button', { name: say('开始训练', 'Start training') }).click();
    const run = page.locator('#run');
    const figure = (name: string) =>
      run
        .locator('dl > div')
        .filter({ has: page.getByText(name, { exact: true }) })
        .locator('dd');
    await expect(figure(say('剩余时间', 'Time left'))).toHaveText(/^1 (min|分钟) \d+ (sec|秒)$/);
    await expect(figure(say('显存', 'Graphics memory'))).toHaveText('61 MB');
    await expect(figure(say('速度', 'Speed'))).toHaveText(/^1,\d{3} ?(tokens\/s|词元\/秒)$/);
    await expect(figure(say('损失', 'Loss'))).toHaveText(/^3\.\d+$/);
    const rate = run.locator('figure, section, div').filter({
      has: page.getByRole('heading', { name: say('学习率', 'Learning rate'), exact: true }),
    });
    await expect(rate.last()).toContainText(/1\.9\d*e-4/);
    const screen = run.getByText(
      say('训练期间屏幕会保持常亮', 'The screen stays on while it trains'),
    );
    await expect(screen).toBeVisible();
    await page.evaluate(() => (window as unknown as { takeScreenLock(): void }).takeScreenLock());
    await expect(screen).toBeHidden();
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await expect(screen).toBeVisible();
    await page.getByRole('button', { name: say('停止并保留', 'Stop and keep') }).click();
    await expect(run.getByText(say('训练已停止', 'Training was stopped'))).toBeVisible();
    await expect(screen).toBeHidden();
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
    const accuracy = run.locator('figure').filter({
      has: page.getByRole('heading', { name: zh ? '词元准确率' : 'Token accuracy', exact: true }),
    });
    await expect(accuracy).toContainText(/83\.8\s?%/);
    await expect(accuracy.locator('circle').first()).toBeVisible();
    await expectAccessible(page);
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

test('runs are compared with their evaluations and without, and one is renamed', async ({
  page,
}) => {
  await openPage(page, '/train');
  const history = page.locator('#history');
  await expect(history.getByText(/^Tick two to four runs/)).toBeVisible();
  for (const box of await history.getByRole('checkbox').all()) await box.check();
  const evals = history.getByRole('checkbox', { name: 'Show evaluation loss' });
  await expect(evals).toBeChecked();
  await history.getByText('Show as a table').first().click();
  const columns = history.getByRole('columnheader', { name: /evaluation loss/i });
  await expect(columns.first()).toBeVisible();
  const best = history.getByRole('row', { name: /^Best token accuracy/ });
  await expect(best.getByRole('cell').first()).toHaveText(/^90\s?% \(step 80\)$/);
  await evals.click();
  await expect(columns).toHaveCount(0);
  await expectAccessible(page);

  const before = '门诊问答 · 11月23日 15:20';
  await history.getByRole('button', { name: `Rename: ${before}` }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByRole('textbox', { name: 'Name' })).toHaveValue(before);
  await dialog.getByRole('textbox', { name: 'Name' }).fill('  The clinic, once more ');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(
    history.getByRole('button', { name: 'Show: The clinic, once more', exact: true }),
  ).toBeVisible();
  // In the comparison as well.
  await expect(history.getByText(before)).toHaveCount(0);
});
