/**
 * Plan: what a person filled in is there after a reload and on another visit, down to options behind a fold and the
 * adapter to start from; what is gone from the device is left out; a recipe that nobody edited goes on following
 * model and data; hostile storage is mended; two tabs agree on what was changed last and then leave it alone; what is
 * deleted with everything else is gone, and what an import brings is there.
 */
import { expect, test, type Page } from '@playwright/test';
import { expectAccessible } from './expect-accessible';
import { openPage } from './open-page';

const field = (page: Page, code: string) =>
  page.getByRole('textbox', { name: new RegExp(` ${code}$`) });
const choice = (page: Page, code: string) => page.getByLabel(new RegExp(` ${code}$`));
const method = (page: Page, name: string) => page.getByRole('radio', { name, exact: true });
const data = (page: Page, name: RegExp) => page.locator('#data').getByRole('radio', { name });
const kept = (page: Page) => page.evaluate(() => localStorage.getItem('inkstone.form'));
const reload = async (page: Page) => {
  await page.reload();
  await expect(data(page, /门诊问答/)).toBeVisible();
};

test('what was filled in is there after a reload', async ({ page }) => {
  await openPage(page, '/train');
  await expect(data(page, /门诊问答/)).toBeVisible();
  expect(await kept(page)).toBeNull();
  await page.getByLabel('Model to train').selectOption('merged-clinic');
  await data(page, /门诊问答/).check();
  await method(page, 'IA3').check();
  await field(page, 'learning_rate').fill('7e-3');
  await page.getByText('Everything else').click();
  await choice(page, 'lr_scheduler_type').selectOption('polynomial');
  await field(page, 'power').fill('2');
  await page.getByRole('checkbox', { name: /load_in_4bit$/ }).check();
  await page.getByRole('slider').fill('0.2');
  await page.getByLabel('Questions it is asked as it learns').fill('Why?\nHow?');
  await page.getByLabel('Ask every so many steps').fill('25');
  await field(page, 'seed').fill('abc');
  await reload(page);
  await expect(page.getByLabel('Model to train')).toHaveValue('merged-clinic');
  await expect(data(page, /门诊问答/)).toBeChecked();
  await expect(method(page, 'IA3')).toBeChecked();
  await expect(field(page, 'learning_rate')).toHaveValue('7e-3');
  await page.getByText('Everything else').click();
  await expect(choice(page, 'lr_scheduler_type')).toHaveValue('polynomial');
  await expect(field(page, 'power')).toHaveValue('2');
  await expect(page.getByRole('checkbox', { name: /load_in_4bit$/ })).toBeChecked();
  await expect(page.getByRole('slider')).toHaveValue('0.2');
  await expect(page.getByLabel('Questions it is asked as it learns')).toHaveValue('Why?\nHow?');
  await expect(page.getByLabel('Ask every so many steps')).toHaveValue('25');
  // Half-typed, it was no value.
  await expect(field(page, 'seed')).toHaveValue('42');
  await expectAccessible(page);
});

test('a recipe that nobody edited follows model and data, after a reload too', async ({ page }) => {
  await openPage(page, '/train');
  await data(page, /Medical questions \(English\)/).check();
  const inUse = page.getByText('The recipe tuned for this sample is in use.');
  await expect(inUse).toBeVisible();
  const questions = page.getByLabel('Questions it is asked as it learns');
  await expect(questions).not.toHaveValue('');
  const suggested = await questions.inputValue();
  await reload(page);
  await expect(inUse).toBeVisible();
  await expect(field(page, 'learning_rate')).toHaveValue('4e-3');
  await expect(questions).toHaveValue(suggested);
  await data(page, /门诊问答/).check();
  await expect(field(page, 'learning_rate')).toHaveValue('2e-4');
  await expect(questions).not.toHaveValue(suggested);
  await questions.fill('');
  await reload(page);
  await expect(data(page, /门诊问答/)).toBeChecked();
  await expect(questions).toHaveValue('');
});

test('the adapter to start from is there after a reload, with what was changed', async ({
  page,
}) => {
  await openPage(page, '/train');
  await method(page, 'Prefix tuning').check();
  await page.getByRole('combobox', { name: 'Start from' }).selectOption('adapter-1-step-80');
  await expect(page.getByText(/^This run goes on from/)).toBeVisible();
  await field(page, 'num_train_epochs').fill('2');
  await reload(page);
  await expect(page.getByRole('combobox', { name: 'Start from' })).toHaveValue('adapter-1-step-80');
  await expect(page.getByText(/^The method comes with the adapter/)).toBeVisible();
  await expect(field(page, 'num_train_epochs')).toHaveValue('2');
  await page.getByRole('button', { name: 'Start from the model instead' }).click();
  await expect(method(page, 'Prefix tuning')).toBeChecked();
});

test('what is gone from the device, and what is unsound, is left out', async ({ page }) => {
  await page.addInitScript(() =>
    localStorage.setItem(
      'inkstone.form',
      JSON.stringify({
        ...{ modelId: 'gone', datasetId: 'medical-zh-eval', evalShare: 'x', sampleEvery: -3 },
        ...{ leaveOut: 7, start: { adapterId: 'gone' }, samplePrompts: 'Mine' },
        options: {
          method: 'dora',
          lora: { r: 1e9, target_modules: ['o_proj', '<b>'] },
          training: { optim: 'sgd', seed: 5, lr_scheduler_kwargs: { power: 2 } },
        },
      }),
    ),
  );
  await openPage(page, '/train');
  await expect(page.getByLabel('Model to train')).toHaveValue('nano-lm');
  await expect(page.locator('#data').getByRole('radio', { checked: true })).toHaveCount(0);
  await expect(method(page, 'DoRA')).toBeChecked();
  await expect(field(page, 'r')).toHaveValue('16');
  await page.getByText('Everything else').click();
  await expect(field(page, 'seed')).toHaveValue('5');
  await expect(choice(page, 'optim')).toHaveValue('adamw_torch');
  await expect(page.getByLabel('Questions it is asked as it learns')).toHaveValue('Mine');
});

test('two tabs agree on what was changed last, and then leave it alone', async ({ page }) => {
  await openPage(page, '/train');
  const other = await page.context().newPage();
  await openPage(other, '/train');
  await field(page, 'r').fill('5');
  await expect(field(other, 'r')).toHaveValue('5');
  await field(other, 'lora_alpha').fill('6');
  await expect(field(page, 'lora_alpha')).toHaveValue('6');
  await expect(field(page, 'r')).toHaveValue('5');
  const text = await kept(page);
  await page.evaluate(() => {
    const { setItem } = Storage.prototype;
    Object.assign(window, { writes: 0 });
    Storage.prototype.setItem = function (...entry) {
      (window as unknown as { writes: number }).writes++;
      setItem.apply(this, entry);
    };
  });
  await field(other, 'r').fill('9');
  await expect(field(page, 'r')).toHaveValue('9');
  await page.waitForTimeout(500);
  expect(await page.evaluate(() => (window as unknown as { writes: number }).writes)).toBe(0);
  expect(await kept(page)).not.toBe(text);
});

test('it goes with everything, and comes with an import', async ({ page }) => {
  await openPage(page, '/train');
  await field(page, 'r').fill('5');
  await page.goto('/settings');
  await page.getByRole('button', { name: 'Delete everything' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete everything' }).click();
  await expect.poll(() => kept(page)).toBeNull();
  await page.getByRole('link', { name: 'Train' }).first().click();
  await expect(field(page, 'r')).toHaveValue('16');
  await page.getByRole('link', { name: 'Settings' }).first().click();
  const form = { options: { method: 'lora', lora: { r: 3 } }, samplePrompts: 'Mine' };
  await page.locator('#everything input[type=file]').setInputFiles({
    ...{ name: 'inkstone.zip', mimeType: 'application/zip' },
    buffer: Buffer.from(JSON.stringify({ form })),
  });
  await expect(page.locator('#everything').getByRole('status')).toContainText('Added:');
  await page.getByRole('link', { name: 'Train' }).first().click();
  await expect(field(page, 'r')).toHaveValue('3');
  await expect(page.getByLabel('Questions it is asked as it learns')).toHaveValue('Mine');
});
