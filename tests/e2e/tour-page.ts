/** Drives the whole tour on the home page and reads its figures, in either language. */
import { expect, type Page } from '@playwright/test';

export type TourLanguage = 'en' | 'zh-CN';

export interface TourFigures {
  accuracy: { before: number; after: number };
  rougeL: { before: number; after: number };
  tokensPerSecond: { before: number; after: number };
  items: number;
}

const WORDS = {
  en: { start: 'Run the whole tour', accuracy: /Accuracy/, speed: /speed|tokens/i },
  'zh-CN': { start: '用样例数据走一遍全程', accuracy: /准确率/, speed: /速度|词元/ },
} as const;

/** Training and talking on a software GPU take minutes. */
const TOUR_TIMEOUT_MS = 1_500_000;

export async function useLanguage(page: Page, locale: TourLanguage): Promise<void> {
  await page.addInitScript((value) => {
    if (!localStorage.getItem('inkstone.settings'))
      localStorage.setItem('inkstone.settings', JSON.stringify({ locale: value }));
  }, locale);
}

export async function startTour(page: Page, locale: TourLanguage): Promise<void> {
  await page.getByRole('button', { name: WORDS[locale].start }).click();
}

export async function readTour(page: Page, locale: TourLanguage): Promise<TourFigures> {
  const row = (name: RegExp) => page.locator('#tour').getByRole('row', { name });
  await expect(row(WORDS[locale].accuracy)).toBeVisible({ timeout: TOUR_TIMEOUT_MS });
  const numbers = async (name: RegExp) => {
    const cells = await row(name).getByRole('cell').allTextContents();
    const [before, after] = cells.map((text) => Number.parseFloat(text.replace(/,/g, '')));
    return { before, after };
  };
  const note = await page.locator('#tour .results p').first().textContent();
  return {
    accuracy: await numbers(WORDS[locale].accuracy),
    rougeL: await numbers(/ROUGE-L/),
    tokensPerSecond: await numbers(WORDS[locale].speed),
    items: Number(/\d+/.exec(note ?? '')?.[0]),
  };
}

/** What tuning must bring: 30 points of accuracy, half as much again of ROUGE-L, on held-back questions. */
export function expectLearning({ accuracy, rougeL, items }: TourFigures): void {
  expect(items).toBeGreaterThanOrEqual(40);
  expect(accuracy.after - accuracy.before).toBeGreaterThanOrEqual(30);
  expect(rougeL.after).toBeGreaterThanOrEqual(1.5 * rougeL.before);
}

/** Every request of the page and its workers that leaves the origin. */
export function watchForeign(page: Page): string[] {
  const foreign: string[] = [];
  page.context().on('request', (request) => {
    const url = new URL(request.url());
    const own =
      url.origin === new URL(page.url() === 'about:blank' ? request.url() : page.url()).origin;
    if (/^https?:$/.test(url.protocol) && !own) foreign.push(request.url());
  });
  return foreign;
}
