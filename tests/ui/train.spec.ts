/**
 * Plan: the Train page beyond a plain run, over the scripted engine. The guide by keyboard alone to each
 * kind of end; presets and what they leave alone; a method's fields, its rate and what is remembered when it
 * is left and chosen again, up to the request; curves with their tables while a run goes, talking to it while
 * it pauses, a word after a long absence; two runs compared, and a run's card. axe looks at each state.
 */
import { readFile } from 'node:fs/promises';
import { expect, test, type Page } from '@playwright/test';
import { expectAccessible } from './expect-accessible';
import { openPage } from './open-page';

const rate = (page: Page) => page.getByRole('textbox', { name: /^Learning rate/ });
const method = (page: Page, name: string) => page.getByRole('radio', { name, exact: true });

test('the guide, by keyboard: three questions, back, and a filled form', async ({ page }) => {
  await openPage(page, '/train', { theme: 'night', width: 390 });
  await page.getByText('Help me choose').press('Enter');
  const next = page.getByRole('button', { name: 'Next', exact: true });
  await expect(next).toBeDisabled();
  await method(page, 'Special').press('Space');
  await next.press('Enter');
  await expect(method(page, 'Little')).toBeFocused();
  await page.keyboard.press('Space');
  await page.getByRole('button', { name: 'Back', exact: true }).press('Enter');
  await expect(method(page, 'Special')).toBeFocused();
  await expect(method(page, 'Special')).toBeChecked();
  await next.press('Enter');
  await next.press('Enter');
  await expect(method(page, 'Scarce')).toBeFocused();
  await page.keyboard.press('Space');
  await expectAccessible(page);
  await next.press('Enter');
  await expect(page.getByRole('status').filter({ hasText: 'Advice: IA3' })).toBeAttached();
  await expect(page.getByRole('group', { name: 'IA3' })).toBeFocused();
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Fill in the recipe' }).press('Enter');
  await expect(method(page, 'IA3')).toBeChecked();
  await expect(rate(page)).toHaveValue('5e-3');
  await expect(page.getByText('IA3 is chosen in the recipe, with 5 epochs.')).toBeVisible();
});

for (const [answers, title] of [
  [['General', 'Little', 'Scarce'], 'No training yet: write a good prompt'],
  [['Special', 'Much', 'Scarce'], 'QLoRA'],
] as const)
  test(`the guide ends in: ${title}`, async ({ page }) => {
    await openPage(page, '/train');
    await page.getByText('Help me choose').click();
    const press = (name: string) => page.getByRole('button', { name, exact: true }).click();
    const give = async (all: readonly string[]) => {
      for (const answer of all) {
        await method(page, answer).check();
        await press('Next');
      }
    };
    await give(answers);
    await expect(page.getByRole('group', { name: title })).toBeVisible();
    if (title === 'QLoRA') {
      await expect(page.getByText(/keeps the base in four bits/).first()).toBeVisible();
      await press('Fill in the recipe');
      await expect(method(page, 'LoRA')).toBeChecked();
      await expect(page.getByLabel('All linear layers')).toBeChecked();
      await page.getByText('Everything else').click();
      const fourBit = page.getByRole('checkbox', { name: /load_in_4bit/ });
      await expect(fourBit).toBeChecked();
      await method(page, 'Full fine-tuning').check();
      await expect(fourBit).toBeHidden();
      await method(page, 'IA3').check();
      await expect(fourBit).toBeChecked();
      await press('Start over');
      await give(['Special', 'Little', 'Rich']);
      await press('Fill in the recipe');
      await expect(page.getByText('LoRA is chosen in the recipe, with 5 epochs.')).toBeVisible();
      await expect(method(page, 'LoRA')).toBeChecked();
      await expect(fourBit).not.toBeChecked();
      await expect(page.getByLabel('All linear layers')).not.toBeChecked();
    } else {
      await page.getByRole('link', { name: 'Try prompts in Chat' }).click();
      await expect(page.getByLabel('Write your question')).toBeVisible();
    }
  });

test('presets set what they name and leave the rest', async ({ page }) => {
  await openPage(page, '/train');
  const preset = (name: string) => page.getByRole('button', { name, exact: true });
  await expect(preset('Balanced')).toHaveAttribute('aria-pressed', 'true');
  await rate(page).fill('3e-4');
  await preset('Quality').click();
  await expect(page.getByRole('textbox', { name: /^Rank/ })).toHaveValue('32');
  await expect(page.getByRole('textbox', { name: /^Epochs/ })).toHaveValue('5');
  await expect(page.getByLabel('All linear layers')).toBeChecked();
  await expect(rate(page)).toHaveValue('3e-4');
  await page.getByText('Everything else').click();
  await expect(page.getByLabel(/^Learning rate schedule/)).toHaveValue('cosine');
  await preset('Quick').click();
  await expect(preset('Quick')).toHaveAttribute('aria-pressed', 'true');
  await expect(page.getByRole('textbox', { name: /^Rank/ })).toHaveValue('8');
  await page.getByRole('button', { name: 'Start afresh' }).click();
  await expect(preset('Balanced')).toHaveAttribute('aria-pressed', 'true');
  await expect(rate(page)).toHaveValue('2e-4');
});

test('a method has its own fields, remembers them, and only suggests a rate that was edited', async ({
  page,
}) => {
  await openPage(page, '/train');
  const line = page.getByText(/^trainable params: /);
  const rank = page.getByRole('textbox', { name: /^Rank/ });
  await rank.fill('12');
  await method(page, 'Prefix tuning').check();
  await expect(rank).toBeHidden();
  await expect(rate(page)).toHaveValue('0.01');
  await page.getByRole('textbox', { name: /^Virtual tokens/ }).fill('7');
  await method(page, 'Full fine-tuning').check();
  await expect(rate(page)).toHaveValue('2e-5');
  await expect(line).toContainText('trainable%: 100.0000');
  await rate(page).fill('1e-3');
  await expect(page.getByText(/usually begins at a learning rate of 2e-5/)).toBeVisible();
  await expectAccessible(page);
  await method(page, 'DoRA').check();
  await expect(rank).toHaveValue('12');
  await expect(rate(page)).toHaveValue('1e-3');
  await method(page, 'Prefix tuning').check();
  await expect(page.getByRole('textbox', { name: /^Virtual tokens/ })).toHaveValue('7');
  await page.getByRole('button', { name: 'Use 0.01' }).click();
  await expect(rate(page)).toHaveValue('0.01');
  await page.getByRole('radio', { name: /Medical questions \(English\)/ }).check();
  await page.getByRole('button', { name: 'Start training' }).click();
  await expect(page.getByText('Training is finished')).toBeVisible({ timeout: 20_000 });
  await page
    .locator('#history')
    .getByRole('button', { name: /^Show: Medical questions/ })
    .click();
  await page
    .locator('#history')
    .getByLabel(/^Compare: Medical questions/)
    .check();
  await page
    .locator('#history')
    .getByLabel(/^Compare: 医学问答样例/)
    .check();
  await expect(page.getByRole('row', { name: /num_virtual_tokens 7/ })).toBeVisible();
});

test('a start that takes a while says what it is at, and can be cancelled', async ({ page }) => {
  await openPage(page, '/train', { scenario: 'slow', width: 390 });
  await page.getByRole('radio', { name: /Medical questions \(English\)/ }).check();
  const start = page.getByRole('button', { name: 'Start training' });
  await start.click();
  await expect(page.locator('#run').getByText('Turning the rows into tokens…')).toBeVisible();
  await page.locator('#run').getByRole('button', { name: 'Cancel' }).click();
  await expect(start).toBeEnabled();
  await expect(page.getByRole('alert')).toHaveCount(0);
  await start.click();
  await expect(page.getByText(/^Step \d+ of 120/).first()).toBeVisible();
});

test('while it runs: curves with tables, a talk in a pause, a word after a long absence', async ({
  page,
}) => {
  await page.clock.install();
  await openPage(page, '/train', { width: 390 });
  await page.clock.resume();
  await page.getByRole('radio', { name: /Medical questions \(English\)/ }).check();
  await page.getByRole('button', { name: 'Start training' }).click();
  await expect(page.getByText(/^Step (4[1-9]|5\d) of 120/).first()).toBeVisible();
  const inFront = page.getByText('Keep this tab in front: browsers slow what they do not show.');
  await expect(inFront).toBeVisible();
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.evaluate(() => {
    const show = (hidden: boolean) => {
      Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    };
    show(true);
    const later = Date.now() + 90_000;
    Date.now = () => later;
    show(false);
  });
  await expect(page.getByText(/in the background for 1 min 30 sec/)).toBeVisible();
  await expect(inFront).toBeHidden();
  for (const title of ['Loss curve', 'Learning rate', 'Gradient norm', 'Speed'])
    await expect(page.getByRole('img', { name: new RegExp(`^${title}: `) })).toBeVisible();
  await expect(page.getByRole('link', { name: /^Talk to it as of step/ })).toBeVisible();
  const loss = page.locator('#run figure').filter({ hasText: 'Loss curve' });
  const line = loss.locator('.plot path.line');
  const linear = (await line.getAttribute('d'))!;
  const logarithmic = page.getByLabel('Logarithmic axis');
  await logarithmic.check();
  await expect(line).not.toHaveAttribute('d', linear);
  // The same points as before: it is the axis alone that moved them.
  await logarithmic.uncheck();
  await expect(line).toHaveAttribute('d', linear);
  await logarithmic.check();
  await loss.getByText('Show as a table').click();
  await expect(loss.getByRole('columnheader', { name: 'evaluation loss' })).toBeVisible();
  await expectAccessible(page);
  // A pause saves the run where it is.
  await page.getByRole('link', { name: /^Talk to it as of step (4[1-9]|5\d|6\d)$/ }).click();
  await expect(page).toHaveURL(/\/chat\?model=nano-lm&adapter=adapter-\d+-step-[456]\d/);
});

for (const [locale, theme, width] of [
  ['en', 'light', 1280],
  ['zh-CN', 'night', 390],
] as const)
  test(`two runs compared, and a card saved: ${locale}, ${theme}, ${width} px`, async ({
    page,
  }) => {
    await openPage(page, '/train', { locale, theme, width });
    const history = page.locator('#history');
    const zh = locale === 'zh-CN';
    await expect(
      history.getByText(zh ? /勾选两到四次训练/ : /^Tick two to four runs/),
    ).toBeVisible();
    for (const box of await history.getByRole('checkbox').all()) await box.check();
    const differing = history.getByRole('row', { name: /learning_rate/ });
    await expect(differing).toContainText('2e-4');
    await expect(differing).toContainText('1e-4');
    await expect(history.getByRole('row', { name: /max_length/ })).toHaveCount(0);
    await expectAccessible(page);
    await history.getByRole('button', { name: zh ? '不再比较' : 'Stop comparing' }).click();
    await expect(differing).toBeHidden();
    await history.getByRole('button', { name: zh ? /^查看：?.*医学/ : /^Show: 医学/ }).click();
    await expectAccessible(page);
    const saved = page.waitForEvent('download');
    await history
      .getByRole('button', { name: zh ? /^保存训练卡片/ : /^Save the run’s card/ })
      .click();
    const card = JSON.parse(await readFile(await (await saved).path(), 'utf8'));
    expect(card).toMatchObject({
      kind: 'inkstone-run-card',
      model: { id: 'nano-lm', sha256: 'b'.repeat(64) },
      data: { sha256: 'a'.repeat(64) },
      device: { adapterName: 'Apple M2' },
    });
    const savedState = page.waitForEvent('download');
    await history.getByRole('button', { name: /trainer_state\.json/ }).click();
    expect((await savedState).suggestedFilename()).toBe('trainer_state.json');
    const state = JSON.parse(await readFile(await (await savedState).path(), 'utf8'));
    expect(state.global_step).toBe(120);
    expect(state.log_history.at(-1)).toMatchObject({ step: 120 });
    await expect(
      history.getByText(
        zh ? /到最新的检查点（第 120 步）为止/ : /the newest checkpoint \(step 120\)/,
      ),
    ).toBeVisible();
  });

test('a run without a checkpoint has no trainer_state.json, one with a pause has', async ({
  page,
}) => {
  await openPage(page, '/train', { scenario: 'broken-round' });
  const history = page.locator('#history');
  const saving = async (name: string) => {
    const run = history
      .locator('li')
      .filter({ has: page.getByRole('checkbox') })
      .filter({ hasText: name });
    await run.getByRole('button', { name: /^Show: / }).click();
    return run.getByRole('button', { name: /trainer_state\.json/ });
  };
  await expect(await saving('门诊问答')).toBeVisible();
  await expect(await saving('第二轮')).toHaveCount(0);
});

test('a trainer_state.json that the browser has cleared is told of', async ({ page }) => {
  await openPage(page, '/train', { scenario: 'low-space' });
  await page
    .locator('#history')
    .getByRole('button', { name: /^Show: 医学/ })
    .click();
  await page.getByRole('button', { name: /trainer_state\.json/ }).click();
  await expect(page.getByText(/no longer whole on this device/)).toBeVisible();
});
