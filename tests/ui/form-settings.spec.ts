/**
 * Plan: settings are saved as the file that the command line reads, and come back from it by button and by drop;
 * PEFT's file fills in the method alone; names that nobody reads are told; a bad file is refused in a sentence and
 * changes nothing; an earlier run fills in the form, and what it had and is gone is told; a run's card does the same;
 * all of it can be undone until the form is changed; starting afresh goes to the tuned recipe where there is one; by
 * keyboard, and nothing of it while a run goes on. axe looks at each state, in both languages and themes.
 */
import { readFile } from 'node:fs/promises';
import { expect, test, type Page } from '@playwright/test';
import { parseRecipeFile } from '../../src/lib/config';
import { expectAccessible } from './expect-accessible';
import { openPage } from './open-page';

const field = (page: Page, code: string) =>
  page.getByRole('textbox', { name: new RegExp(` ${code}$`) });
const method = (page: Page, name: string) => page.getByRole('radio', { name, exact: true });
const data = (page: Page, name: RegExp) => page.locator('#data').getByRole('radio', { name });
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const told = (page: Page) => page.locator('#settings-outcome').getByRole('status');

const give = (page: Page, content: object | string, name = 'c.json') =>
  page.locator('#recipe input[type=file]').setInputFiles({
    ...{ name, mimeType: 'application/json' },
    buffer: Buffer.from(typeof content === 'string' ? content : JSON.stringify(content)),
  });

async function saved(page: Page, press: () => Promise<void>): Promise<[string, string]> {
  const download = page.waitForEvent('download');
  await press();
  const file = await download;
  return [file.suggestedFilename(), await readFile(await file.path(), 'utf8')];
}

test('saved as the command line reads it, and loaded again, by button and by drop', async ({
  page,
}) => {
  await openPage(page, '/train');
  // The file is named after it.
  await expect(page.getByLabel('Model to train')).toHaveValue('nano-lm');
  await method(page, 'DoRA').check();
  await field(page, 'r').fill('6');
  await field(page, 'learning_rate').fill('3e-4');
  const [name, text] = await saved(page, () => button(page, 'Save settings').press('Enter'));
  expect(name).toBe('nano-lm-dora.config.json');
  const file = parseRecipeFile(text, name);
  expect(file.warnings).toEqual([]);
  expect(file.peft).toMatchObject({ peft_type: 'LORA', use_dora: true, r: 6, lora_alpha: 32 });
  expect(file.args).toMatchObject({ learning_rate: 3e-4, eval_strategy: 'epoch' });
  await expect(told(page)).toContainText(`Saved as ${name}.`);
  await expectAccessible(page);
  await button(page, 'Start afresh').click();
  await expect(told(page)).toHaveText('Back to the common recipe. Undo');
  await expect(method(page, 'LoRA')).toBeChecked();
  await give(page, text, name);
  await expect(told(page)).toContainText(`The form is filled in from ${name}.`);
  await expect(method(page, 'DoRA')).toBeChecked();
  await expect(field(page, 'r')).toHaveValue('6');
  await button(page, 'Undo').click();
  await expect(told(page)).toHaveText('Undone. The form is as it was.');
  await expect(method(page, 'LoRA')).toBeChecked();
  const transfer = await page.evaluateHandle(
    ([content, fileName]) => {
      const made = new DataTransfer();
      made.items.add(new File([content], fileName, { type: 'application/json' }));
      return made;
    },
    [text, name],
  );
  const place = page.getByText('Ready-made recipes');
  await place.dispatchEvent('dragover', { dataTransfer: transfer });
  await expect(page.getByText('Drop to load these settings')).toBeVisible();
  await place.dispatchEvent('drop', { dataTransfer: transfer });
  await expect(method(page, 'DoRA')).toBeChecked();
  await expect(page.getByText('Drop to load these settings')).toBeHidden();
  await expect(button(page, 'Undo')).toBeVisible();
  // What is typed now would be lost.
  await field(page, 'r').fill('7');
  await expect(button(page, 'Undo')).toBeHidden();
  await page.reload();
  await expect(field(page, 'r')).toHaveValue('7');
});

test('a file of PEFT fills in the method alone; names that nobody reads are told', async ({
  page,
}) => {
  await openPage(page, '/train', { width: 390, theme: 'night' });
  await field(page, 'num_train_epochs').fill('9');
  const peft = { peft_type: 'LORA', r: 5, lora_alpha: 5, init_lora_weights: 'pissa_niter_16' };
  await give(page, { ...peft, task_type: 'CAUSAL_LM', inference_mode: true });
  await expect(told(page)).toContainText('it says nothing of the training');
  await expect(field(page, 'r')).toHaveValue('5');
  await expect(field(page, 'num_train_epochs')).toHaveValue('9');
  await page.getByText('Everything else').click();
  await expect(page.getByLabel(/ init_lora_weights$/)).toHaveValue('pissa_niter_16');
  await give(page, { learning_rate: 1e-3, max_seq_len: 64, learning_rte: 1, foo: 2 });
  await expect(told(page)).toContainText(
    '3 names in the file are not used: max_seq_len (here it is max_length), learning_rte (here it is learning_rate), foo.',
  );
  await told(page).getByText('Why, one by one').click();
  await expect(told(page)).toContainText('c.json: max_seq_len is not used (it is 64)');
  await expect(field(page, 'r')).toHaveValue('5');
  await expectAccessible(page);
});

for (const [locale, theme, says, drop] of [
  ['en', 'light', 'the form cannot show them, and they count', 'Leave them out'],
  ['zh-CN', 'night', '表单无法显示，但它们照样生效', '去掉它们'],
] as const)
  test(`layers that no box shows are told, kept and saved: ${locale}`, async ({ page }) => {
    await openPage(page, '/train', { locale, theme, width: 390 });
    const peft = {
      ...{ peft_type: 'LORA', r: 5, lora_alpha: 5, target_modules: '.*\\.(q|up)_proj' },
      ...{ exclude_modules: ['layers.0.mlp.up_proj'], rank_pattern: { up_proj: 3 } },
    };
    await give(page, peft);
    const part = page.locator('#recipe');
    await expect(part).toContainText(says);
    for (const text of ['"layers.0.mlp.up_proj"', '{"up_proj":3}', '(q|up)_proj'])
      await expect(part).toContainText(text);
    await expect(part.getByRole('checkbox', { name: 'q_proj' })).toHaveCount(0);
    await expectAccessible(page);
    await page.reload();
    await expect(part).toContainText('{"up_proj":3}');
    const save = page.getByRole('button', { name: locale === 'en' ? 'Save settings' : '保存设置' });
    const [name, text] = await saved(page, () => save.press('Enter'));
    expect(parseRecipeFile(text, name).peft).toMatchObject(peft);
    await page.getByRole('button', { name: drop }).click();
    await expect(part).not.toContainText(says);
    await expect(part.getByRole('checkbox', { name: 'q_proj' })).toBeChecked();
  });

for (const [locale, theme, tooLarge, none] of [
  ['en', 'light', 'r is 0, it must be at least 1', 'a JSON object is needed'],
  ['zh-CN', 'night', 'r 现在是 0，允许的范围是 1 到 2048', '没有读到训练设置'],
] as const)
  test(`a bad file is refused in a sentence and changes nothing: ${locale}`, async ({ page }) => {
    await openPage(page, '/train', { locale, theme, width: 390 });
    await field(page, 'r').fill('6');
    const refused = page.locator('#settings-outcome').getByRole('alert');
    await give(page, { r: 0, learning_rate: 1 });
    await expect(refused).toContainText(tooLarge);
    await expect(refused).toContainText(/the form is as it was|表单没有改动/);
    await expect(field(page, 'r')).toHaveValue('6');
    await expectAccessible(page);
    await give(page, [{ instruction: 'a', output: 'b' }]);
    await expect(refused).toContainText(none);
    await give(page, '{"r":4,"__proto__":{"r":9}}');
    await expect(refused).toHaveCount(0);
    await expect(field(page, 'r')).toHaveValue('4');
  });

for (const [locale, theme, words] of [
  ['en', 'night', { show: /^Show: 门诊/, use: /^Use this run/, filled: 'The form is filled in' }],
  ['zh-CN', 'light', { show: /^查看: 门诊/, use: /^用这次的设置/, filled: '已填入“门诊问答' }],
] as const)
  test(`the settings of an earlier run fill in the form: ${locale}`, async ({ page }) => {
    await openPage(page, '/train', { locale, theme, width: 390 });
    await field(page, 'r').fill('6');
    const history = page.locator('#history');
    await history.getByRole('button', { name: words.show }).click();
    await expectAccessible(page);
    await history.getByRole('button', { name: words.use }).press('Enter');
    await expect(page.locator('#settings-outcome')).toBeFocused();
    await expect(told(page)).toContainText(words.filled);
    await expect(field(page, 'r')).toHaveValue('8');
    await expect(field(page, 'learning_rate')).toHaveValue('1e-4');
    await expect(data(page, /医学问答（中文）|Medical questions \(Chinese\)/)).toBeChecked();
    await expect(page.locator('#run textarea')).toHaveValue('感冒发烧应该怎么办？');
    await expectAccessible(page);
    await button(page, locale === 'en' ? 'Undo' : '撤销').press('Enter');
    await expect(field(page, 'r')).toHaveValue('6');
    await expect(page.locator('#data').getByRole('radio', { checked: true })).toHaveCount(0);
  });

test('a run’s card fills in the form as the run does, and tells what is not here', async ({
  page,
}) => {
  await openPage(page, '/train');
  const history = page.locator('#history');
  await history.getByRole('button', { name: /^Show: 门诊/ }).click();
  const [name, text] = await saved(page, () =>
    history.getByRole('button', { name: /^Save the run/ }).click(),
  );
  await give(page, text, name);
  await expect(told(page)).toContainText(`The form is filled in from ${name}.`);
  await expect(field(page, 'r')).toHaveValue('8');
  await expect(data(page, /Medical questions \(Chinese\)/)).toBeChecked();
  const card = JSON.parse(text) as { data: object };
  await give(page, {
    ...card,
    model: { id: 'm', name: 'Elsewhere 7B' },
    data: { ...card.data, id: 'd', name: 'law.jsonl', sha256: 'b'.repeat(64) },
    startedFrom: { adapterId: 'x', name: 'Round one' },
  });
  for (const words of [
    'The model Elsewhere 7B is',
    '“law.jsonl” is not',
    'went on from “Round one”',
  ])
    await expect(told(page)).toContainText(words);
  await expect(page.getByLabel('Model to train')).toHaveValue('nano-lm');
  await expectAccessible(page);
});

test('the method of an adapter to start from stays, and the training is filled in', async ({
  page,
}) => {
  await openPage(page, '/train');
  await page
    .getByRole('combobox', { name: 'Start from' })
    .selectOption({ value: 'adapter-1-step-80' });
  await give(page, { peft_type: 'IA3', num_train_epochs: 2 });
  await expect(told(page)).toContainText('The method comes with the adapter to start from');
  await expect(field(page, 'num_train_epochs')).toHaveValue('2');
  await expect(page.getByText(/^The method comes with the adapter: LoRA/)).toBeVisible();
  await button(page, 'Start afresh').click();
  await expect(told(page)).toContainText(
    'Back to the arguments that the adapter was trained with.',
  );
  await expect(field(page, 'num_train_epochs')).toHaveValue('3');
  await expect(page.getByRole('combobox', { name: 'Start from' })).toHaveValue('adapter-1-step-80');
  await button(page, 'Undo').click();
  await expect(field(page, 'num_train_epochs')).toHaveValue('2');
});

test('starting afresh goes to the recipe tuned for the sample, and nothing while a run goes on', async ({
  page,
}) => {
  await openPage(page, '/train', { scenario: 'slow', width: 390 });
  const afresh = button(page, 'Start afresh');
  await data(page, /Medical questions \(English\)/).check();
  await expect(page.getByText('The recipe tuned for this sample is in use.')).toBeVisible();
  await expect(afresh).toBeDisabled();
  await button(page, 'Use the common recipe').click();
  await expect(field(page, 'learning_rate')).toHaveValue('2e-4');
  await field(page, 'r').fill('6');
  await afresh.click();
  await expect(told(page)).toContainText('Back to the recipe tuned for this sample.');
  await expect(field(page, 'r')).toHaveValue('16');
  await expect(field(page, 'learning_rate')).toHaveValue('4e-3');
  await expect(afresh).toBeDisabled();
  await field(page, 'r').fill('x');
  await expect(button(page, 'Save settings')).toBeDisabled();
  await afresh.click();
  await expect(field(page, 'r')).toHaveValue('16');
  await page.getByRole('button', { name: 'Start training' }).click();
  await expect(page.getByText(/^Step \d+ of 120/).first()).toBeVisible();
  await expect(page.getByLabel('Load settings')).toBeDisabled();
  await expect(told(page)).toBeEmpty();
  await expect(button(page, 'Save settings')).toBeEnabled();
});

for (const [locale, theme, filled, once, twice] of [
  [
    'en',
    'light',
    'The form is filled in from llama3_lora_sft.yaml.',
    'evals_per_epoch',
    'line 2 has r a second time',
  ],
  [
    'zh-CN',
    'night',
    '已按 llama3_lora_sft.yaml 填好。',
    'evals_per_epoch',
    '第 2 行重复写了同一个名字',
  ],
] as const)
  test(`another program's recipe in YAML, dropped: ${locale}`, async ({ page }) => {
    await openPage(page, '/train', { locale, theme, width: 390 });
    const drop = async (content: string, name: string) => {
      const dataTransfer = await page.evaluateHandle(
        ([content, name]) => {
          const made = new DataTransfer();
          made.items.add(new File([content], name, { type: 'application/yaml' }));
          return made;
        },
        [content, name],
      );
      await page.locator('#recipe h2').first().dispatchEvent('drop', { dataTransfer });
    };
    const recipe = (name: string) =>
      readFile(new URL(`../config/recipes/${name}`, import.meta.url), 'utf8');
    await drop(await recipe('llama-factory-lora.yaml'), 'llama3_lora_sft.yaml');
    await expect(told(page)).toContainText(filled);
    await expect(field(page, 'r')).toHaveValue('16');
    await expect(field(page, 'lora_alpha')).toHaveValue('32');
    await expect(field(page, 'max_length')).toHaveValue('1024');
    await expectAccessible(page);
    await give(page, await recipe('axolotl-lora.yml'), 'lora.yml');
    await expect(told(page)).toContainText(once);
    await expect(field(page, 'max_length')).toHaveValue('2048');
    const refused = page.locator('#settings-outcome').getByRole('alert');
    await drop('r: 4\nr: 8', 'c.yaml');
    await expect(refused).toContainText(twice);
    await expect(field(page, 'r')).toHaveValue('16');
    await expectAccessible(page);
  });
