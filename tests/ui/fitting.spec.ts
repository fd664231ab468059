/**
 * Plan: what would make a run on the form fit, beyond numbers of its recipe, in both languages, on a phone's width: LoRA
 * in place of full fine-tuning, with its own rate; fewer checkpoints where storage is short, by keyboard, and a plain
 * word where no number of them finds room. axe looks at each offer.
 */
import { expect, test } from '@playwright/test';
import { expectAccessible } from './expect-accessible';
import { openPage } from './open-page';

for (const locale of ['en', 'zh-CN'] as const)
  test(`LoRA in place of a full run that cannot fit is one press: ${locale}`, async ({ page }) => {
    const say = (zh: string, en: string) => (locale === 'zh-CN' ? zh : en);
    await openPage(page, '/train', { locale, width: 390 });
    await page
      .getByRole('radio', { name: /Medical questions|医学问答/ })
      .first()
      .check();
    const method = (name: string) => page.getByRole('radio', { name, exact: true });
    await method(say('全参数微调', 'Full fine-tuning')).check();
    const batch = page.getByRole('textbox', { name: say('每批条数', 'Rows per batch') });
    const rate = page.getByRole('textbox', { name: say('学习率', 'Learning rate') });
    await expect(rate).toHaveValue('2e-5');
    await batch.fill('128');
    const offer = page.getByText(say('把训练方法改为 LoRA、', 'fit: Method LoRA, '));
    await expect(offer).toBeVisible();
    await expectAccessible(page);
    await page.getByRole('button', { name: say('照此修改', 'Make this change') }).click();
    await expect(method('LoRA')).toBeChecked();
    await expect(batch).toHaveValue('32');
    // As tuned for this model and data.
    await expect(rate).toHaveValue('4e-3');
    await expect(offer).toBeHidden();
  });

for (const locale of ['en', 'zh-CN'] as const)
  test(`as many checkpoints as find room are one press, and where none do it is said: ${locale}`, async ({
    page,
  }) => {
    const say = (zh: string, en: string) => (locale === 'zh-CN' ? zh : en);
    await openPage(page, '/train', { scenario: 'low-space', locale, width: 390 });
    await page
      .getByRole('radio', { name: /Medical questions|医学问答/ })
      .first()
      .check();
    const keep = page.getByRole('button', {
      name: say('最多只留 1 个检查点', 'Keep no more than 1 checkpoint'),
      exact: true,
    });
    const short = page.getByText(say('留给网页的空间只剩', 'left for the page'));
    await expect(short).toContainText(say('就放得下', 'which fits'));
    await expect(
      page.getByRole('button', { name: say('可腾出 12 MB', 'Free 12 MB') }),
    ).toBeVisible();
    await expectAccessible(page);
    const method = (name: string) => page.getByRole('radio', { name, exact: true });
    await method(say('全参数微调', 'Full fine-tuning')).check();
    await expect(short).toContainText(say('也还是放不下', 'would not be enough'));
    await expect(keep).toHaveCount(0);
    await method('LoRA').check();
    await keep.press('Enter');
    await expect(short).toHaveCount(0);
    await page.getByText(say('其余选项', 'Everything else')).first().click();
    await expect(
      page.getByRole('textbox', { name: say('留几个检查点', 'Checkpoints to keep') }),
    ).toHaveValue('1');
  });
