/** `npm run tour`: the main job once, with pictures of every page and the figures as JSON in tests/e2e/out. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from '@playwright/test';
import { readTour, startTour, useLanguage, watchForeign, type TourLanguage } from './tour-page';

const OUT = join('tests', 'e2e', 'out');
const PAGES = ['', 'models', 'train', 'chat', 'evaluate', 'settings'];

for (const locale of ['en', 'zh-CN'] as TourLanguage[])
  test(`the tour, ${locale}`, async ({ page }) => {
    mkdirSync(OUT, { recursive: true });
    const foreign = watchForeign(page);
    await useLanguage(page, locale);
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.goto('/');
    const picture = (name: string) =>
      page.screenshot({ path: join(OUT, `${locale}-${name}.png`), fullPage: true });
    await picture('first-visit');
    const started = Date.now();
    await startTour(page, locale);
    const figures = await readTour(page, locale);
    const seconds = Math.round((Date.now() - started) / 1000);
    await picture('tour');
    for (const width of [1280, 390])
      for (const name of PAGES) {
        await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
        if (name !== '') await page.goto(`/${name}`);
        await page.waitForTimeout(1000);
        await picture(`${name || 'home'}-${width}`);
      }
    const report = { locale, seconds, ...figures, foreignRequests: foreign.length };
    writeFileSync(join(OUT, `figures-${locale}.json`), `${JSON.stringify(report, undefined, 2)}\n`);
    console.log(JSON.stringify(report));
  });
