/**
 * Plan: the page itself asks the browser to keep the data, because a worker cannot. A click asks, and what the
 * browser answers is told and shown, a refusal too; the first start of a run asks once, waits for no answer, and
 * asks again neither at the next start nor after a reload, nor where it was promised or asked before. The page says what
 * asking means, in both languages; what can be done with the space is one column of buttons, and fits on a phone.
 */
import { expect, test, type Page } from '@playwright/test';
import { expectAccessible } from './expect-accessible';
import { openPage } from './open-page';

type Answer = 'yes' | 'the browser’s own' | 'not yet';

/**
 * Counts, over reloads, how often the page asks. A test's browser, whose windows are private, refuses by itself;
 * `not yet` is a person who leaves the question open.
 */
async function answer(page: Page, answer: Answer): Promise<void> {
  await page.addInitScript((answer) => {
    const { prototype } = StorageManager;
    const { persist, persisted } = prototype;
    prototype.persisted = async function () {
      return sessionStorage.getItem('promised') !== null || (await persisted.call(this));
    };
    prototype.persist = async function () {
      const before = Number(sessionStorage.getItem('times-asked'));
      sessionStorage.setItem('times-asked', String(before + 1));
      if (answer === 'the browser’s own') return persist.call(this);
      if (answer === 'not yet') return new Promise(() => undefined);
      sessionStorage.setItem('promised', 'yes');
      return true;
    };
  }, answer);
}

const timesAsked = (page: Page) =>
  page.evaluate(() => Number(sessionStorage.getItem('times-asked')));

const askButton = (page: Page) => page.getByRole('button', { name: 'Ask the browser to keep it' });

async function startRun(page: Page): Promise<void> {
  await page.getByRole('radio', { name: /Medical questions \(English\)/ }).check();
  await page.getByRole('button', { name: 'Start training' }).click();
  await expect(page.locator('#run').getByText('Training is finished')).toBeVisible();
}

test('a click asks the browser, and what it promised is told and shown', async ({ page }) => {
  await answer(page, 'yes');
  await openPage(page, '/settings');
  await askButton(page).click();
  await expect(page.getByText('The browser agreed to keep it.')).toBeVisible();
  await expect(page.getByText('The browser has promised to keep this data.')).toBeVisible();
  await expect(askButton(page)).toHaveCount(0);
  expect(await timesAsked(page)).toBe(1);
});

test('control: a refusal is the browser’s own, said as such, and the button stays', async ({
  page,
}) => {
  await answer(page, 'the browser’s own');
  await openPage(page, '/settings');
  await askButton(page).click();
  await expect(page.getByText('The browser did not agree this time.')).toBeVisible();
  await expect(page.getByText('The browser has promised')).toHaveCount(0);
  expect(await timesAsked(page)).toBe(1);
  await askButton(page).click();
  await expect.poll(() => timesAsked(page)).toBe(2);
});

test('the first start asks once, waits for no answer, and no later start asks again', async ({
  page,
}) => {
  await answer(page, 'not yet');
  await openPage(page, '/train');
  expect(await timesAsked(page)).toBe(0);
  await startRun(page);
  expect(await timesAsked(page)).toBe(1);
  await page.getByRole('button', { name: 'Train again' }).click();
  await startRun(page);
  await page.reload();
  await startRun(page);
  expect(await timesAsked(page)).toBe(1);
});

test('a start asks nothing that was promised before', async ({ page }) => {
  await answer(page, 'yes');
  await page.addInitScript(() => sessionStorage.setItem('promised', 'yes'));
  await openPage(page, '/train');
  await startRun(page);
  expect(await timesAsked(page)).toBe(0);
});

for (const [locale, theme, width] of [
  ['en', 'night', 1280],
  ['zh-CN', 'light', 390],
] as const)
  test(`what asking means stands beside it, and all of it fits: ${locale}, ${width} px`, async ({
    page,
  }) => {
    await openPage(page, '/settings', { locale, theme, width });
    const storage = page.locator('#storage');
    await expect(
      storage.getByText(locale === 'en' ? /^If it agrees, only you/ : /^答应之后，只有你自己/),
    ).toBeVisible();
    const buttons = storage.getByRole('button');
    await expect(buttons).toHaveCount(3);
    const boxes = await buttons.evaluateAll((all) =>
      all.map((button) => button.getBoundingClientRect().toJSON() as DOMRect),
    );
    expect(new Set(boxes.map(({ x }) => x)).size).toBe(1);
    if (width > 720) expect(new Set(boxes.map((box) => box.width)).size).toBe(1);
    for (const { right } of boxes) expect(right).toBeLessThanOrEqual(width);
    expect(
      await page.evaluate(() => document.documentElement.scrollWidth - innerWidth),
    ).toBeLessThanOrEqual(0);
    await expectAccessible(page);
  });
