/**
 * The contracts over OPFS and IndexedDB in Chromium, from a dedicated worker (synchronous handles) and
 * from a window (writable streams), and what only a browser can show: leftovers of a killed tab, a full
 * device, two tabs, a newer app. Skipped where no Chromium is found.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BrowserContext, Page } from 'playwright';
import {
  bundle,
  findChromium,
  launchChromium,
  launchWithProfile,
  serveScripts,
  type Site,
} from './chromium';
import type { Probe } from './browser/worker';

const where = ['worker', 'window'] as const;

describe.skipIf(!findChromium())('in Chromium', () => {
  let context: BrowserContext & { discard(): Promise<void> };
  let site: Site;
  let page: Page;

  beforeAll(async () => {
    const script = await bundle(new URL('./browser/worker.ts', import.meta.url).pathname);
    site = await serveScripts({ '/probe.js': script });
    context = await launchWithProfile();
    page = await openPage();
  });

  afterAll(async () => {
    await context?.discard();
    await site?.close();
  });

  async function openPage(inContext: BrowserContext = context): Promise<Page> {
    const opened = await inContext.newPage();
    await opened.goto(site.origin);
    return opened;
  }

  function inWorker(on: Page, name: Probe, input = ''): Promise<unknown> {
    return on.evaluate(
      ([name, input]) => {
        const worker = new Worker('/probe.js', { type: 'module' });
        (globalThis as { kept?: Worker[] }).kept ??= [];
        (globalThis as { kept?: Worker[] }).kept?.push(worker);
        return new Promise<unknown>((done, fail) => {
          worker.onmessage = ({ data }: MessageEvent<{ value: unknown; error?: string }>) =>
            data.error ? fail(new Error(data.error)) : done(data.value);
          worker.onerror = (event) => fail(new Error(event.message));
          worker.postMessage({ name, input });
        });
      },
      [name, input] as const,
    );
  }

  async function inWindow(on: Page, name: Probe, input = ''): Promise<unknown> {
    await on.addScriptTag({ url: '/probe.js', type: 'module' });
    await on.waitForFunction(() => 'probe' in globalThis);
    return on.evaluate(
      ([name, input]) =>
        (globalThis as unknown as { probe(name: string, input: string): Promise<unknown> }).probe(
          name,
          input,
        ),
      [name, input] as const,
    );
  }

  const probe = (place: (typeof where)[number], name: Probe, input?: string): Promise<unknown> =>
    place === 'worker' ? inWorker(page, name, input) : inWindow(page, name, input);

  const failures = (outcomes: unknown): unknown[] =>
    (outcomes as [string, string][]).filter(([, error]) => error !== '');

  it.each(where)('OPFS keeps the contract of a file store, from a %s', async (place) => {
    const outcomes = await probe(place, 'files');
    expect(failures(outcomes)).toEqual([]);
    expect(outcomes).toHaveLength(16);
  });

  it.each(where)('IndexedDB keeps the contract of tables, from a %s', async (place) => {
    const outcomes = await probe(place, 'tables');
    expect(failures(outcomes)).toEqual([]);
    expect(outcomes).toHaveLength(9);
  });

  it('cleans the temporary files of a killed tab at start, and nothing else', async () => {
    expect(await inWorker(page, 'leftovers')).toEqual(['resumable.part', 'whole.bin']);
  });

  it('keeps data over connections', async () => {
    const record = { id: 'a', schemaVersion: 1 };
    expect(await inWorker(page, 'reopen')).toEqual([record, record]);
  });

  it('gives way to a newer app and then says to reload', async () => {
    expect(await inWorker(page, 'giveWay')).toMatchObject({
      old: { code: 'newer-version' },
      reloaded: { code: 'newer-version' },
    });
  });

  it('lets one tab hold a lock, tells the other at once, and frees it when the tab dies', async () => {
    const second = await openPage();
    expect(await inWorker(page, 'tryLock', 'run')).toBe('free');
    expect(await inWorker(second, 'holdForever', 'run')).toBe('held');
    expect(await inWorker(page, 'tryLock', 'run')).toMatchObject({ code: 'second-tab' });
    expect(await inWorker(page, 'isHeld', 'run')).toBe(true);
    expect(await inWorker(page, 'tryLock', 'another')).toBe('free');
    await second.close();
    await expect.poll(() => inWorker(page, 'tryLock', 'run')).toBe('free');
  });

  it('reports an ordinary profile as durable, with its numbers', async () => {
    const estimate = (await inWorker(page, 'estimate')) as { quotaBytes: number };
    expect(estimate).toMatchObject({ persisted: false, durable: true });
    expect(estimate.quotaBytes).toBeGreaterThan(2 ** 30);
  });

  it('writes fast enough not to be what a download waits for', async () => {
    expect(await inWorker(page, 'writeSpeed')).toBeGreaterThan(5);
  });

  const SMALL_QUOTA_BYTES = 16 * 2 ** 20;

  async function withSmallQuota(on: Page, work: () => Promise<void>): Promise<void> {
    const session = await on.context().newCDPSession(on);
    const { origin } = site;
    await session.send('Storage.clearDataForOrigin', { origin, storageTypes: 'all' });
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: SMALL_QUOTA_BYTES });
    try {
      await work();
    } finally {
      await session.send('Storage.overrideQuotaForOrigin', { origin });
    }
  }

  const fullFile = {
    error: { code: 'full', retryable: true, details: { what: 'kept', neededBytes: 2 ** 20 } },
    after: [['kept', 3]],
  };

  // Chromium enforces the override and keeps it out of estimate(); freeBytes is tested over memory.
  it.each(where)('a full device is said, and the old file kept, from a %s', (place) =>
    withSmallQuota(page, async () => expect(await probe(place, 'full')).toMatchObject(fullFile)),
  );

  it('a full device is said, and the old file kept, in a private window', async () => {
    const browser = await launchChromium();
    const secret = await openPage(await browser.newContext());
    await withSmallQuota(secret, async () =>
      expect(await inWorker(secret, 'full')).toMatchObject(fullFile),
    );
    await browser.close();
  });

  it('a full device is said, and no half append stays, for tables', () =>
    withSmallQuota(page, async () =>
      expect(await inWorker(page, 'fullTable')).toMatchObject({
        error: { code: 'full' },
        wholeAppends: true,
      }),
    ));
});
