/**
 * Plan: where products in 16 bits were measured to pay, one line beneath the time says so and one press turns them on,
 * by keyboard, with the focus kept and a way back that leaves the recipe as it was; where they are on and slow the run,
 * it says that; nothing is said where the difference is small, nor on the processor (the controls). It is announced, and
 * stays still while numbers are typed. axe looks at each state, in both languages and themes, on a phone.
 */
import { expect, test, type Page } from '@playwright/test';
import { expectAccessible } from './expect-accessible';
import { openPage, type Look } from './open-page';

const fp16 = (page: Page) => page.getByRole('checkbox', { name: /fp16$/ });
const line = (page: Page) => page.locator('#run').getByRole('status');
const time = (page: Page) => page.locator('#run .time');

async function openForm(page: Page, look: Look): Promise<void> {
  await openPage(page, '/train', look);
  await page.getByText(/^(Everything else|其余选项)$/).click();
  await page
    .getByRole('radio', { name: /Medical questions \(English\)|医学问答（英文）/ })
    .first()
    .check();
}

for (const { locale, theme, width, offer, on, off, turnOn, undo, recommended } of [
  {
    locale: 'en',
    theme: 'night',
    width: 390,
    offer:
      'With 16-bit products this run would take about 5 sec on this device, 1.6 times as fast; losses differ by a few ten-thousandths at most.',
    ...{ on: '16-bit products are on.', turnOn: 'Turn on 16-bit products', undo: 'Undo' },
    ...{ off: /^About 8 sec/, recommended: 'Use the common recipe' },
  },
  {
    locale: 'zh-CN',
    theme: 'light',
    width: 1280,
    offer: '打开 16 位乘法后，在这台设备上约需 5 秒，速度是现在的 1.6 倍；损失最多相差万分之几。',
    ...{ on: '16 位乘法已打开。', turnOn: '打开 16 位乘法', undo: '撤销' },
    ...{ off: /约需 8 秒/, recommended: '改用常用配方' },
  },
] as const)
  test(`faster: one press, and back: ${locale}, ${theme}, ${width} px`, async ({ page }) => {
    await openForm(page, { scenario: 'fp16-faster', locale, theme, width });
    await expect(time(page)).toHaveText(off);
    await expect(line(page).locator('p')).toHaveText(offer);
    await expectAccessible(page);
    const button = line(page).getByRole('button');
    await expect(button).toHaveText(turnOn);
    await button.press('Enter');
    await expect(fp16(page)).toBeChecked();
    await expect(line(page).locator('p')).toHaveText(on);
    await expect(button).toHaveText(undo);
    await expect(button).toBeFocused();
    await expect(time(page)).toHaveText(/ 5 /);
    await expectAccessible(page);
    await button.press('Enter');
    await expect(fp16(page)).not.toBeChecked();
    await expect(line(page).locator('p')).toHaveText(offer);
    await expect(button).toBeFocused();
    await expect(time(page)).toHaveText(off);
    // The recipe is the recommended one again, not an edited one.
    await expect(page.getByRole('button', { name: recommended })).toBeVisible();
    await expect(button).toBeFocused();
  });

test('slower, and on: the line says so, and turns it off', async ({ page }) => {
  await openForm(page, { scenario: 'fp16-slower', width: 390 });
  await expect(time(page)).toHaveText(/^About 8 sec/);
  // It was compared by now, and nothing is offered.
  await page.waitForTimeout(800);
  await expect(line(page)).toBeEmpty();
  await fp16(page).check();
  await expect(line(page).locator('p')).toHaveText(
    'On this device 16-bit products are slower: without them this run would take about 8 sec, 4.0 times as fast.',
  );
  await expect(time(page)).toHaveText(/^About 31 sec/);
  await expectAccessible(page);
  await line(page).getByRole('button', { name: 'Turn off 16-bit products' }).click();
  await expect(fp16(page)).not.toBeChecked();
  await expect(line(page).locator('p')).toHaveText('16-bit products are off.');
  await expect(time(page)).toHaveText(/^About 8 sec/);
});

for (const scenario of ['ordinary', 'software-webgpu', 'fp16-faster'] as const)
  test(`${scenario}: ${scenario === 'fp16-faster' ? 'control, a line' : 'nothing is said'}`, async ({
    page,
  }) => {
    await openForm(page, { scenario });
    await expect(time(page)).toHaveText(/^About 8 sec/);
    await page.waitForTimeout(800);
    await expect(line(page).getByRole('button')).toHaveCount(scenario === 'fp16-faster' ? 1 : 0);
  });

test('it stays while numbers are typed, counts anew, and goes with what it was about', async ({
  page,
}) => {
  await openForm(page, { scenario: 'fp16-faster' });
  await expect(line(page)).toContainText('about 5 sec');
  // What changes in it is announced.
  await line(page).evaluate((node) => {
    const watch = new MutationObserver(() => (node.dataset.announced = 'yes'));
    watch.observe(node, { childList: true, subtree: true, characterData: true });
  });
  const rate = page.getByRole('textbox', { name: /^Learning rate/ });
  await rate.fill('3e-4');
  await expect(time(page)).toBeEmpty();
  await expect(time(page)).toHaveText(/^About 8 sec/);
  await page.waitForTimeout(800);
  await expect(line(page)).toContainText('about 5 sec');
  expect(await line(page).getAttribute('data-announced')).toBeNull();
  // After a press, a change of anything else ends the way back.
  await line(page).getByRole('button').click();
  await expect(line(page).getByRole('button', { name: 'Undo' })).toBeVisible();
  await expect(line(page)).toHaveAttribute('data-announced', 'yes');
  await rate.fill('4e-4');
  await expect(line(page)).toBeEmpty();
  await expect(fp16(page)).toBeChecked();
  await fp16(page).uncheck();
  await expect(line(page)).toContainText('about 5 sec');
  // Of another method nothing is known at first.
  await page.getByRole('radio', { name: 'Prefix tuning', exact: true }).check();
  await expect(line(page)).toBeEmpty();
  await expect(line(page)).toContainText('about 5 sec');
  // What cannot be run takes no time.
  await rate.fill('-1');
  await expect(line(page)).toHaveCount(0);
  await rate.fill('4e-4');
  await page.getByRole('textbox', { name: /^Rows per batch/ }).fill('128');
  await expect(page.getByText(/these settings fit/)).toBeVisible();
  await expect(line(page)).toBeEmpty();
});

test('with other data there is no way back to the recipe of the first', async ({ page }) => {
  await openForm(page, { scenario: 'fp16-faster' });
  await line(page).getByRole('button', { name: 'Turn on 16-bit products' }).click();
  const undo = line(page).getByRole('button', { name: 'Undo' });
  await expect(undo).toBeVisible();
  await page.getByRole('radio', { name: /Medical questions \(Chinese\)/ }).check();
  await expect(undo).toHaveCount(0);
  await expect(fp16(page)).toBeChecked();
});

test('the comparison comes after the time, and ends when a number is typed', async ({ page }) => {
  await page.addInitScript(() => {
    const told: object[] = [];
    const post = Worker.prototype.postMessage as (...message: unknown[]) => void;
    Worker.prototype.postMessage = function (this: Worker, ...message: unknown[]) {
      told.push(message[0] as object);
      post.apply(this, message);
    };
    Object.assign(window, { told });
  });
  await openPage(page, '/train', { scenario: 'fp16-faster' });
  const read = () =>
    page.evaluate(() => {
      const { told } = window as unknown as {
        told: { kind: string; id: number; method?: string }[];
      };
      const calls = told.filter(({ method }) => method === 'compareFp16');
      const isEnded = (id: number) => told.some((one) => one.kind === 'abort' && one.id === id);
      return calls.map(({ id }) => (isEnded(id) ? 'ended' : 'asked'));
    });
  // As soon as the time is there, something is typed.
  await page.evaluate(() => {
    const run = document.querySelector('#run')!;
    new MutationObserver((_, watch) => {
      if (!run.querySelector('.time')?.textContent.includes('About')) return;
      watch.disconnect();
      // By then the comparison has been asked for.
      setTimeout(() => {
        const labels = [...document.querySelectorAll('label')];
        const id = labels.find(({ textContent }) => /^\s*Learning rate/.test(textContent))!.htmlFor;
        const field = document.getElementById(id) as HTMLInputElement;
        field.value = '5e-4';
        field.dispatchEvent(new Event('input', { bubbles: true }));
      }, 50);
    }).observe(run, { childList: true, subtree: true, characterData: true });
  });
  expect(await read()).toEqual([]);
  await page.getByRole('radio', { name: /Medical questions \(English\)/ }).check();
  await expect.poll(read).toEqual(['ended', 'asked']);
  await expect(line(page)).toContainText('about 5 sec');
  expect(await read()).toEqual(['ended', 'asked']);
});
