/**
 * A worker that is gone without an error event, in Chromium. Plan: pending calls reject and the crash is
 * told once; controls: a worker that holds its thread for seconds is not taken for gone, one that was
 * disposed of has not crashed; nothing stays behind. One that ends before its first word is noticed too;
 * controls: one that begins slowly, and a page that is held up meanwhile. Skipped where no Chromium is found.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Browser, Page } from 'playwright';
import { bundle, findChromium, launchChromium, serveScripts, type Site } from '../storage/chromium';
import type { Probes } from './browser/page';

declare const probes: Probes;

describe.skipIf(!findChromium())('a worker in Chromium', () => {
  let browser: Browser;
  let site: Site;
  let page: Page;

  beforeAll(async () => {
    const file = (name: string) => bundle(new URL(`./browser/${name}`, import.meta.url).pathname);
    site = await serveScripts({
      '/worker.js': await file('worker.ts'),
      '/stillborn.js': 'self.close();',
      '/slow.js': `const until = performance.now() + 1500; while (performance.now() < until);\n${await file('worker.ts')}`,
      '/page.js': await file('page.ts'),
    });
    browser = await launchChromium();
    page = await browser.newPage();
    await page.goto(site.origin);
    await page.addScriptTag({ url: '/page.js', type: 'module' });
    await page.waitForFunction(() => 'probes' in globalThis);
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  it('that vanishes rejects all pending and later calls and is told once', async () => {
    const { codes, crashes, elapsedMs } = await page.evaluate(() => probes.vanish());
    expect(codes).toEqual(['worker-crashed', 'worker-crashed', 'worker-crashed']);
    expect(crashes).toEqual(['The worker stopped: the browser ended it. Start it again.']);
    expect(elapsedMs).toBeLessThan(10_000);
  });

  it('that holds its thread for three seconds is not taken for gone', async () => {
    const { codes, crashes, elapsedMs } = await page.evaluate(() => probes.busy());
    expect({ codes, crashes }).toEqual({ codes: ['answered held', 'answered 4'], crashes: [] });
    expect(elapsedMs).toBeGreaterThan(3000);
    expect(await page.evaluate(() => probes.locks())).toBe(2);
  });

  it('that was disposed of has not crashed, and leaves no lock', async () => {
    const before = await page.evaluate(() => probes.locks());
    const { codes, crashes } = await page.evaluate(() => probes.dispose());
    expect({ codes, crashes }).toEqual({ codes: ['disposed'], crashes: [] });
    expect(await page.evaluate(() => probes.locks())).toBe(before);
  });

  it('that ends before its first word rejects its calls and is told once', async () => {
    const { codes, crashes, elapsedMs } = await page.evaluate(() => probes.stillborn());
    expect(codes).toEqual(['worker-crashed', 'worker-crashed', 'worker-crashed']);
    expect(crashes).toEqual(['The worker stopped: it never began. Start it again.']);
    expect(elapsedMs).toBeLessThan(10_000);
  });

  it('that begins slowly is waited for, however long the page itself is held up', async () => {
    for (const heldUpMs of [0, 6000]) {
      const { codes, crashes } = await page.evaluate((ms) => probes.slowBirth(ms), heldUpMs);
      expect({ codes, crashes }).toEqual({ codes: ['answered 6', 'answered 8'], crashes: [] });
    }
  });
});
