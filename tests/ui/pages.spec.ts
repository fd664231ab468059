/**
 * Plan: what a person does, over the scripted engine. The tour from its button to its figures, with a
 * pause; a run with pause, keep and discard; any checkpoint of a run in Chat, Evaluate and Models, deleted
 * alone, with its run, or left; a full device while a run saves; what a run will take, and what to change
 * where it does not fit; a report deleted; data with problems, with unknown columns, and read another way;
 * Enter while an input method composes; a worker that dies and a device that is lost; a second tab; no
 * WebGPU; keyboard.
 */
import { expect, test } from '@playwright/test';
import { expectAccessible } from './expect-accessible';
import { openPage } from './open-page';

test('the tour runs to its figures, and can be paused', async ({ page }) => {
  await openPage(page, '/');
  await page.getByRole('button', { name: 'Run the whole tour' }).click();
  await expect(page.getByText(/Step \d+ of 120/)).toBeVisible();
  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(page.getByText(/^Training paused/)).toBeVisible();
  const held = await page.getByText(/Step \d+ of 120/).textContent();
  await page.waitForTimeout(600);
  expect(await page.getByText(/Step \d+ of 120/).textContent()).toBe(held);
  await page.getByRole('button', { name: 'Continue' }).click();
  const results = page.getByRole('row', { name: /Accuracy/ });
  await expect(results).toContainText('82.5%', { timeout: 30_000 });
  await expect(page.getByRole('row', { name: /ROUGE-L/ })).toContainText('0.9124');
  await expect(page.getByRole('button', { name: /Save the adapter/ })).toBeVisible();
  await page.getByRole('link', { name: 'Let both models answer side by side' }).click();
  await expect(page.getByLabel('Adapter')).toHaveValue(/^adapter-\d+-step-120$/);
});

test('the tour can be stopped and says so', async ({ page }) => {
  await openPage(page, '/');
  await page.getByRole('button', { name: 'Run the whole tour' }).click();
  await expect(page.getByText(/Step \d+ of 120/)).toBeVisible();
  await page.getByRole('button', { name: 'Stop the tour' }).click();
  await expect(page.getByText('The tour was stopped.')).toBeVisible();
});

test('a run: the recipe of the sample, figures, title, the line of PEFT, samples, the end', async ({
  page,
}) => {
  await openPage(page, '/train');
  await expect(page.getByRole('textbox', { name: /Learning rate/ })).toHaveValue('2e-4');
  await page.getByRole('radio', { name: /Medical questions \(English\)/ }).check();
  await expect(page.getByText('The recipe tuned for this sample is in use.')).toBeVisible();
  await expect(page.getByRole('textbox', { name: /Learning rate/ })).toHaveValue('4e-3');
  await expect(
    page.getByText('trainable params: 98,304 || all params: 3,245,568 || trainable%: 3.0289'),
  ).toBeVisible();
  await page.getByRole('button', { name: 'Start training' }).click();
  await expect(page).toHaveTitle(/^Training \d+%/);
  await expect(page.getByText('step 40', { exact: true }).first()).toBeVisible();
  await expect(page.getByText('Training is finished')).toBeVisible({ timeout: 20_000 });
  await page.getByRole('link', { name: 'Talk to it', exact: true }).click();
  await expect(page).toHaveURL(/\/chat\?model=nano-lm&adapter=adapter-\d+-step-120/);
});

test('a discarded run asks first and leaves no adapter', async ({ page }) => {
  await openPage(page, '/train', { scenario: 'slow' });
  await page.getByRole('radio', { name: /Medical questions \(English\)/ }).check();
  await page.getByRole('button', { name: 'Start training' }).click();
  await page.getByRole('button', { name: 'Stop and discard' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByRole('dialog')).toBeHidden();
  await page.getByRole('button', { name: 'Stop and discard' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Stop and discard' }).click();
  await expect(page.getByText('No checkpoint was kept of this run.')).toBeVisible();
  await expect(page.locator('#run').getByRole('status').first()).toHaveText(
    /^Training stopped at step \d+ of 120, and nothing of it was kept/,
  );
});

test('any checkpoint of a run can be talked to and evaluated', async ({ page }) => {
  await openPage(page, '/train');
  const history = page.locator('#history');
  await history.getByRole('button', { name: /^Show: 医学问答样例/ }).click();
  await history.getByRole('link', { name: /^Talk to it: Step 80/ }).click();
  await expect(page.getByLabel('Adapter')).toHaveValue('adapter-1-step-80');
  await expect(page.getByLabel('Adapter').locator('optgroup')).toHaveAttribute(
    'label',
    '医学问答样例 · 11月23日 14:02',
  );
  await openPage(page, '/chat?model=nano-lm&adapter=adapter-1');
  await expect(page.getByLabel('Adapter')).toHaveValue('adapter-1-step-120');
  await page.getByRole('link', { name: 'Evaluate' }).click();
  const run = page.getByRole('group', { name: /^医学问答样例/ });
  await expect(run.getByRole('checkbox', { name: 'Step 120' })).toBeChecked();
  await run.getByRole('checkbox', { name: 'Step 40' }).check();
  await page.getByRole('button', { name: 'Start the evaluation' }).click();
  await expect(page.getByRole('rowheader', { name: /^Step 40 · 医学问答样例/ })).toBeVisible();
});

test('a checkpoint is deleted alone, a run with them or but for its newest adapter', async ({
  page,
}) => {
  await openPage(page, '/train');
  const history = page.locator('#history');
  const confirm = () => page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await history.getByRole('button', { name: /^Show: 门诊问答/ }).click();
  await history.getByRole('button', { name: /^Delete: Step 40, 门诊问答/ }).click();
  await expect(page.getByRole('dialog')).toContainText('start again from the beginning');
  await confirm();
  await expect(history.getByText('There are no checkpoints yet.')).toBeVisible();
  await expect(history.getByRole('button', { name: /^Start again: 门诊问答/ })).toBeVisible();
  await history.getByRole('button', { name: /^Delete: 医学问答样例/ }).click();
  await expect(page.getByLabel('Keep the newest adapter')).toBeChecked();
  await confirm();
  await expect(history.getByText('医学问答样例')).toBeHidden();
  await page.getByRole('link', { name: 'Models' }).click();
  const adapters = page.locator('#adapters');
  await expect(adapters.getByRole('heading', { name: /^医学问答样例/ })).toBeVisible();
  await expect(adapters.getByText(/earlier checkpoint/)).toBeHidden();
});

test('a full device: the run goes on, space is offered, the last checkpoint waits', async ({
  page,
}) => {
  await openPage(page, '/train', { scenario: 'disk-full' });
  await page.getByRole('radio', { name: /Medical questions \(English\)/ }).check();
  await page.getByRole('button', { name: 'Start training' }).click();
  await expect(page.getByText(/The checkpoint of step 40 could not be saved/)).toBeVisible();
  const goesOn = page.getByText(/Training goes on and earlier checkpoints are safe/);
  await expect(goesOn).toBeVisible();
  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(page.getByText(/is in graphics memory while the run is paused/)).toBeVisible();
  await expect(goesOn).toBeHidden();
  await page.getByRole('button', { name: 'Continue' }).click();
  await expect(goesOn).toBeVisible();
  await expect(page.getByText(/The last checkpoint is not saved yet/)).toBeVisible({
    timeout: 20_000,
  });
  await page.getByRole('button', { name: 'Free 12 MB of older checkpoints' }).click();
  await expect(page.getByText('12 MB freed')).toBeVisible();
  await page.getByRole('button', { name: 'Continue' }).click();
  await expect(page.getByText('Training is finished')).toBeVisible();
});

test('what a run will take is said before it starts, and a change that fits is one click', async ({
  page,
}) => {
  await openPage(page, '/train', { scenario: 'no-memory' });
  await page.getByRole('radio', { name: /Medical questions \(English\)/ }).check();
  await expect(
    page.getByText(/^About 62 MB of graphics memory, 23 steps, about 1.6 MB of storage/),
  ).toBeVisible();
  const batch = page.getByRole('textbox', { name: /^Rows per batch/ });
  await batch.fill('128');
  await expect(
    page.getByText(/these settings fit: Rows per batch 32, Batches per step 8, Optimiser 8-bit/),
  ).toBeVisible();
  await page.getByRole('button', { name: 'Make this change' }).click();
  await expect(batch).toHaveValue('32');
  await expect(page.getByLabel(/ optim$/)).toHaveValue('adamw_8bit');
  await page.getByRole('button', { name: 'Start training' }).click();
  await expect(page.getByRole('alert')).toContainText('Rows per batch 2, Batches per step 8');
  await page.getByRole('button', { name: 'Make this change' }).click();
  await expect(batch).toHaveValue('2');
  // What has run out once is told before the next start.
  const ranOut = page.getByText(
    /a run with 58 MB of graphics memory ran out of it.*it would need 39 MB: Rows per batch 2/,
  );
  await expect(page.getByText(/^About \d+ MB of graphics memory/)).toBeVisible();
  await expect(ranOut).toBeHidden();
  await batch.fill('4');
  await expect(ranOut).toBeVisible();
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Make this change' }).click();
  await expect(batch).toHaveValue('2');
  await expect(ranOut).toBeHidden();
  await page.getByRole('button', { name: 'Start training' }).click();
  await expect(page).toHaveTitle(/^Training \d+%/);
});

test('a report is deleted after it was asked for', async ({ page }) => {
  await openPage(page, '/evaluate');
  await page.locator('#result').getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect(page.getByText('There are no results yet.')).toBeVisible();
});

test('a wrong number is named with what is allowed, and holds the start back', async ({ page }) => {
  await openPage(page, '/train');
  await page.getByRole('radio', { name: /Medical questions \(English\)/ }).check();
  await expect(page.getByRole('button', { name: 'Start training' })).toBeEnabled();
  await page.getByRole('textbox', { name: /^Rank/ }).fill('0');
  await expect(page.getByText('Found 0; allowed is 1 to 1024.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Start training' })).toBeDisabled();
});

test('data: problems by row and field, unknown columns, not JSON', async ({ page }) => {
  await openPage(page, '/train');
  const drop = (name: string, text: string) =>
    page
      .locator('#data input[type=file]')
      .setInputFiles({ name, mimeType: 'application/json', buffer: Buffer.from(text) });
  await drop('mine.json', '[{"instruction": "a", "output": "b"}]');
  await page.getByText('2 things to look at').click();
  await expect(page.getByRole('row', { name: /3 output The answer is empty/ })).toBeVisible();
  await drop('other.json', '[{"q": "a", "a": "b"}]');
  await expect(page.getByLabel(/^Question \(instruction\)/)).toHaveValue('q');
  await page.getByRole('button', { name: 'Read it this way' }).click();
  const result = page.getByText('other.json: 5 rows ready');
  await expect(result).toBeFocused();
  await expect(page.getByText('Not used: source', { exact: true })).toBeVisible();
  await drop('broken.json', 'hello');
  await expect(page.getByRole('alert')).toContainText('broken.json is not JSON');
});

for (const [locale, theme, width] of [
  ['en', 'night', 1280],
  ['zh-CN', 'light', 390],
] as const)
  test(`data read another way, by keyboard: ${locale}, ${theme}, ${width} px`, async ({ page }) => {
    const zh = locale === 'zh-CN';
    await openPage(page, '/train', { locale, theme, width });
    const drop = (name: string, text: string) =>
      page
        .locator('#data input[type=file]')
        .setInputFiles({ name, mimeType: 'application/json', buffer: Buffer.from(text) });
    const form = page.getByLabel(zh ? /^每一条是什么/ : /^What is a row/);
    const readIt = page.getByRole('button', { name: zh ? '按此读取' : 'Read it this way' });

    await drop('mine.json', '[{"instruction": "a", "output": "b"}]');
    const unused = zh ? '没有用到：id、source' : 'Not used: id, source';
    await expect(page.getByText(unused, { exact: true })).toBeVisible();
    await expect(form).toBeHidden();
    await page.getByText(zh ? '换一种方式读取' : 'Read it another way').press('Enter');
    await expect(form).toHaveValue('qa');
    await expectAccessible(page);
    await form.selectOption('text');
    await expect(readIt).toBeDisabled();
    const missing = zh ? '还要选定：文本（text）' : 'Still to choose: Text (text)';
    await expect(page.getByText(missing)).toBeVisible();
    await page.getByLabel(zh ? /^文本（text）/ : /^Text \(text\)/).selectOption('output');
    await readIt.press('Enter');
    await expect(page.getByText(zh ? /mine\.json.*5 条可用/ : /mine\.json: 5 rows/)).toBeFocused();
    await expect(form).toBeHidden();

    await drop('seen.json', '[{"messages": [{"type": "image_url"}]}]');
    await expect(page.getByText(zh ? /没有一条可用/ : /no row that can be used/)).toBeVisible();
    await expect(form).toHaveValue('chat');
    await expectAccessible(page);
    await page
      .getByLabel(zh ? /^各轮发言（messages）/ : /^Turns \(messages\)/)
      .selectOption('spoken');
    await readIt.press('Enter');
    await expect(page.getByText(zh ? /seen\.json.*5 条可用/ : /seen\.json: 5 rows/)).toBeFocused();

    // Token ids under other names; labels may be none.
    await drop('ids.json', '[{"q": [1, 2], "a": [1, 2]}]');
    await form.selectOption('tokens');
    await expect(readIt).toBeDisabled();
    const ids = zh ? '词元编号（input_ids）' : 'Token ids (input_ids)';
    await expect(page.getByText(`${zh ? '还要选定：' : 'Still to choose: '}${ids}`)).toBeVisible();
    await page.getByLabel(ids).selectOption('q');
    await expect(readIt).toBeEnabled();
    await page.getByLabel(zh ? '标签（labels）' : 'Labels (labels)').selectOption('a');
    await expectAccessible(page);
    await readIt.press('Enter');
    await expect(page.getByText(zh ? /ids\.json.*5 条可用/ : /ids\.json: 5 rows/)).toBeFocused();
    await expect(page.getByText(zh ? /没有用到：source$/ : /^Not used: source$/)).toBeVisible();
  });

test('Enter does not send while an input method composes, and does afterwards', async ({
  page,
}) => {
  await openPage(page, '/chat', { locale: 'zh-CN' });
  const box = page.getByLabel('写下你的问题');
  await box.fill('你好');
  await box.dispatchEvent('keydown', { key: 'Enter', isComposing: true });
  await expect(box).toHaveValue('你好');
  await box.press('Enter');
  await expect(box).toHaveValue('');
  await expect(page.getByText('我不知道。我只学过一点点。', { exact: true })).toBeVisible();
});

test('a stopped answer keeps what was said', async ({ page }) => {
  await openPage(page, '/chat', { scenario: 'slow' });
  await page.getByLabel('Write your question').fill('Hello');
  await page.keyboard.press('Enter');
  await expect(page.getByText(/^I do/)).toBeVisible();
  await page.getByRole('button', { name: 'Stop' }).click();
  await expect(page.getByText('stopped', { exact: true })).toBeVisible();
  await expect(page.getByText(/^I do/)).toBeVisible();
});

for (const [scenario, sentence] of [
  ['crash', 'The worker stopped. Your checkpoints are safe'],
  ['vanish', 'The worker stopped. Your checkpoints are safe'],
  ['device-lost', 'The graphics device was lost. Your checkpoints are safe'],
] as const)
  test(`${scenario}: a sentence and a way on`, async ({ page }) => {
    await openPage(page, '/train', { scenario });
    await page.getByRole('radio', { name: /Medical questions \(English\)/ }).check();
    await page.getByRole('button', { name: 'Start training' }).click();
    await expect(page.getByText(sentence).first()).toBeVisible();
    await page.getByRole('button', { name: 'Start again' }).click();
    await expect(page.getByText('Ready · WebGPU')).toBeVisible();
    await expect(page.getByRole('button', { name: 'Train again' })).toBeVisible();
  });

test('a second tab is told where to go', async ({ page }) => {
  await openPage(page, '/', { scenario: 'second-tab' });
  await expect(page.getByText('already open in another tab')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Run the whole tour' })).toBeDisabled();
});

test('without WebGPU chat is offered and training says why not', async ({ page }) => {
  await openPage(page, '/', { scenario: 'no-webgpu' });
  await expect(page.getByText('This browser has no WebGPU')).toBeVisible();
  await page.getByRole('link', { name: 'Talk to the bundled model' }).click();
  await expect(page.getByLabel('Write your question')).toBeVisible();
});

for (const { scenario, locale, compute, status } of [
  {
    scenario: 'software-webgpu',
    locale: 'en',
    compute: 'the processor computes it (google swiftshader)',
    status: 'Ready · WebGPU + WASM',
  },
  {
    scenario: 'software-webgpu',
    locale: 'zh-CN',
    compute: '由处理器代为计算（google swiftshader）',
    status: '就绪 · WebGPU + WASM',
  },
  {
    scenario: 'ordinary',
    locale: 'en',
    compute: 'WebGPU is available on Apple M2',
    status: 'Ready · WebGPU',
  },
] as const)
  test(`${scenario}, ${locale}: what trains and what answers here`, async ({ page }) => {
    await openPage(page, '/', { scenario, locale });
    await expect(page.getByText(compute)).toBeVisible();
    await expect(page.getByText(status, { exact: true })).toBeVisible();
  });

test('keyboard: skip link, current page, language and theme', async ({ page }) => {
  await openPage(page, '/settings');
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.locator('main')).toBeFocused();
  await expect(page.getByRole('link', { name: 'Settings' })).toHaveAttribute(
    'aria-current',
    'page',
  );
  await page.getByRole('radio', { name: '中文' }).press('Space');
  await expect(page.locator('html')).toHaveAttribute('lang', 'zh-CN');
  await page.getByRole('radio', { name: '夜墨' }).press('Space');
  await page.reload();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'night');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('设置');
});
