/**
 * The service worker in Chromium, on a small built app: everything without the server, the seal and the
 * ledger, isolation on a host that sends no headers, an update that waits for a run. Each test has its
 * own browser profile, so each begins with a first visit.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Browser, BrowserContext, Page } from 'playwright';
import type { App, LedgerEntry } from '../../src/lib/hub/register';
import { findChromium, launchChromium, listen } from '../storage/chromium';
import { prepareFixture, startServer, type Fixture, type Server } from './build-fixture';

interface Handles {
  app: App;
  /** From the registration until it was known whether a worker is in control. */
  msToSettle: Promise<number>;
  update?: { apply(): Promise<boolean> };
  holdRun(): Promise<void>;
  endRun(): void;
  askWorker(message: {
    url?: string;
    cache?: RequestCache;
    repo?: string;
  }): Promise<Record<string, unknown>>;
}

declare const handles: Handles;

const MODEL = '/models/nano-lm/model.safetensors';
/** Well before the page gives up waiting for a worker, which is after 3 s. */
const SOON_MS = 2000;
const HUB = 'https://huggingface.co/api/models/some/model?token=secret';

describe.skipIf(!findChromium())('the service worker', () => {
  let fixture: Fixture;
  let first: string;
  let second: string;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let server: Server;
  let asked: string[];
  let hubRequests: string[];

  beforeAll(async () => {
    fixture = prepareFixture();
    first = await fixture.build('one');
    second = await fixture.build('two');
    browser = await launchChromium();
  }, 300_000);

  afterAll(async () => {
    await browser?.close();
    fixture?.discard();
  });

  beforeEach(async () => {
    server = await startServer(first);
    context = await browser.newContext();
    asked = [];
    hubRequests = [];
    context.on('request', (request) => asked.push(request.url()));
    await context.route('https://huggingface.co/**', (route) => {
      hubRequests.push(route.request().url());
      return route.fulfill({
        body: 'from the hub',
        headers: { 'Access-Control-Allow-Origin': '*' },
      });
    });
    page = await visit('/');
  });

  afterEach(async () => {
    await context.close();
    await server.stop();
  });

  async function visit(path: string, origin = server.origin): Promise<Page> {
    const opened = await context.newPage();
    await opened.goto(origin + path);
    await opened.waitForFunction(() => 'handles' in globalThis);
    // Not `app.controlled`, which gives up after a while on a slow machine.
    await opened.waitForFunction(() => navigator.serviceWorker.controller !== null);
    return opened;
  }

  const heading = (on: Page): Promise<string> => on.locator('h1').innerText();
  const askWorker = (on: Page, url?: string) =>
    on.evaluate((wanted) => handles.askWorker({ url: wanted }), url);
  const read = (on: Page, url: string, headers: Record<string, string> = {}) =>
    on.evaluate(
      async ([from, sent]) => {
        const response = await fetch(from, { headers: sent });
        const bytes = new Uint8Array(await response.arrayBuffer());
        let sum = 0;
        for (const byte of bytes) sum = (sum * 31 + byte) % 1_000_003;
        return { status: response.status, size: bytes.length, sum };
      },
      [url, headers] as const,
    );

  it('is in control after the first load, and nothing but this origin was asked', async () => {
    expect(await page.evaluate(() => handles.app.controlled)).toBe(true);
    expect(await page.evaluate(() => handles.app.version())).toMatch(/^\d+$/);
    expect(asked.filter((url) => !url.startsWith(server.origin))).toEqual([]);
    expect(asked.filter((url) => /models|samples|wasm/.test(url))).toEqual([]);
  });

  const settled = (on: Page) =>
    on.evaluate(async () => ({
      isControlled: await handles.app.controlled,
      ms: await handles.msToSettle,
    }));

  it('a page that was loaded past the worker knows at once that none is in control', async () => {
    const protocol = await context.newCDPSession(page);
    await protocol.send('Network.enable');
    await protocol.send('Network.setBypassServiceWorker', { bypass: true });
    await page.reload();
    await page.waitForFunction(() => 'handles' in globalThis);
    const { isControlled, ms } = await settled(page);
    expect(isControlled).toBe(false);
    expect(ms).toBeLessThan(SOON_MS);
  });

  it('so does a page where no worker can be registered', async () => {
    const closed = await browser.newContext({ serviceWorkers: 'block' });
    try {
      const opened = await closed.newPage();
      await opened.goto(server.origin);
      await opened.waitForFunction(() => 'handles' in globalThis);
      const { isControlled, ms } = await settled(opened);
      expect(isControlled).toBe(false);
      expect(ms).toBeLessThan(SOON_MS);
    } finally {
      await closed.close();
    }
  });

  it('opens every page without the server: prerendered, routed, with a slash, by a new tab', async () => {
    await server.stop();
    await page.reload();
    expect(await heading(page)).toBe('one');
    for (const path of ['/deep/er', '/deep/er/?x=1', '/deep/er.html', '/deep/er?x=1']) {
      const opened = await visit(path);
      expect(await heading(opened)).toBe('deeper');
      const { pathname, search } = new URL(opened.url());
      expect([pathname, search]).toEqual(['/deep/er', path.includes('?') ? '?x=1' : '']);
    }
    expect(await heading(await visit('/no/such/page'))).toBe('404');
  });

  it('keeps models and wasm once used, whole and in ranges, and not what was never used', async () => {
    const whole = await read(page, MODEL);
    const wasm = await askWorker(page);
    expect(wasm).toMatchObject({ status: 200, isolated: true });
    const size = readFileSync(join(first, MODEL)).length;
    expect(whole).toMatchObject({ status: 200, size });
    await server.stop();
    expect(await read(page, MODEL)).toEqual(whole);
    expect(await read(page, `${MODEL}?v=1`)).toEqual(whole);
    expect(await askWorker(page)).toEqual(wasm);
    const range = { Range: 'bytes=100-199' };
    expect(await read(page, MODEL, range)).toMatchObject({ status: 206, size: 100 });
    const past = { Range: `bytes=${size}-` };
    expect(await read(page, MODEL, past)).toMatchObject({ status: 416 });
    await expect(read(page, '/samples/medical.en.json')).rejects.toThrow('Failed to fetch');
  });

  it('replaces a kept copy that somebody found damaged', async () => {
    // A context with routes disables caches, which is to ask for every file anew.
    await context.close();
    context = await browser.newContext();
    page = await visit('/');
    const whole = (await askWorker(page)) as { url: string; text: string };
    await page.evaluate(async ({ url }) => {
      for (const name of await caches.keys()) {
        const cache = await caches.open(name);
        if (await cache.match(url)) await cache.put(url, new Response('broken'));
      }
    }, whole);
    expect(await askWorker(page)).toMatchObject({ text: 'broken' });
    const anew = await page.evaluate(() => handles.askWorker({ cache: 'reload' }));
    expect(anew).toEqual(whole);
    await server.stop();
    await expect.poll(() => askWorker(page)).toEqual(whole);
  });

  it('keeps all of a file of which only a range was asked', async () => {
    const size = readFileSync(join(first, MODEL)).length;
    const range = { Range: 'bytes=0-7' };
    expect(await read(page, MODEL, range)).toMatchObject({ status: 206, size: 8 });
    await server.stop();
    expect(await read(page, MODEL)).toMatchObject({ status: 200, size });
  });

  it('keeps on request what the page will need, workers and their wasm too', async () => {
    expect(await page.evaluate(() => handles.app.keepBundled())).toEqual([]);
    await server.stop();
    for (const path of [MODEL, '/models/nano-lm/files.json', '/samples/medical.en.json']) {
      expect(await read(page, path)).toMatchObject({ status: 200 });
    }
    expect(await askWorker(page)).toMatchObject({ status: 200 });
  });

  it('keeps the files that a page names, and says what it could not keep', async () => {
    const urls = [MODEL, '/icon.svg', '/missing.bin', 'https://huggingface.co/x'];
    const failed = await page.evaluate((named) => handles.app.keep(named), urls);
    expect(failed).toEqual([`${server.origin}/missing.bin`, 'https://huggingface.co/x']);
    expect(hubRequests).toEqual([]);
    await server.stop();
    expect(await read(page, MODEL)).toMatchObject({ status: 200 });
    expect(await read(page, '/icon.svg')).toMatchObject({ status: 200 });
  });

  const ledger = (): Promise<LedgerEntry[]> => page.evaluate(() => handles.app.readLedger());

  it('writes foreign requests of the page and of workers into the ledger, without the query', async () => {
    expect(await ledger()).toEqual([]);
    expect(await read(page, HUB)).toMatchObject({ status: 200 });
    expect(await askWorker(page, HUB)).toMatchObject({ status: 200, text: 'from the hub' });
    const entries = await ledger();
    expect(entries).toHaveLength(2);
    for (const entry of entries) {
      expect(entry).toMatchObject({
        method: 'GET',
        host: 'huggingface.co',
        path: '/api/models/some/model',
        outcome: 'ok',
        status: 200,
      });
    }
    expect(JSON.stringify(entries)).not.toContain('secret');
  });

  it('lets nothing out while the seal is closed, over restarts, and lets it out again after', async () => {
    await page.evaluate(() => handles.app.setSeal(true));
    expect(await read(page, HUB)).toMatchObject({ status: 503 });
    expect(await askWorker(page, HUB)).toMatchObject({
      status: 503,
      text: expect.stringContaining('The seal is closed') as string,
    });
    const session = await context.newCDPSession(page);
    await session.send('ServiceWorker.enable');
    await session.send('ServiceWorker.stopAllWorkers');
    const another = await visit('/deep/er');
    expect(await read(another, HUB)).toMatchObject({ status: 503 });
    expect(await another.evaluate(() => handles.app.isSealed())).toBe(true);
    expect(hubRequests).toEqual([]);
    expect((await ledger()).map(({ outcome }) => outcome)).toEqual([
      'refused',
      'refused',
      'refused',
    ]);
    expect(await read(page, '/icon.svg')).toMatchObject({ status: 200 });

    await page.evaluate(() => handles.app.setSeal(false));
    expect(await read(page, HUB)).toMatchObject({ status: 200 });
    expect(hubRequests).toHaveLength(1);
  });

  it('a worker downloads a model through it, under the policy, into storage, in the ledger once', async () => {
    const golden = (name: string): Buffer => readFileSync(join(first, 'models/nano-lm', name));
    const files: Record<string, Buffer> = {
      'config.json': golden('config.json'),
      'model.safetensors': golden('model.safetensors'),
      'tokenizer.json': Buffer.from('{}'),
    };
    const headers = { 'Access-Control-Allow-Origin': '*' };
    await context.route('https://huggingface.co/**', (route) => {
      const { pathname } = new URL(route.request().url());
      hubRequests.push(pathname);
      const siblings = Object.entries(files).map(([rfilename, { length: size }]) => ({
        rfilename,
        size,
      }));
      if (pathname.startsWith('/api/')) {
        return route.fulfill({ json: { sha: 'a'.repeat(40), siblings }, headers });
      }
      return route.fulfill({ body: files[pathname.split('/').at(-1) ?? ''], headers });
    });
    const download = () => page.evaluate(() => handles.askWorker({ repo: 'some/model' }));

    await page.evaluate(() => handles.app.setSeal(true));
    expect(await download()).toMatchObject({ code: 'sealed' });
    expect(hubRequests).toEqual([]);
    await page.evaluate(() => handles.app.setSeal(false));
    expect(await download()).toEqual({
      sizeBytes: Object.values(files).reduce((sum, { length }) => sum + length, 0),
      kept: Object.keys(files).map((name) => `models/some--model/${name}`),
    });
    const entries = await ledger();
    expect(entries.map(({ purpose, outcome }) => [purpose, outcome])).toEqual([
      ['some/model/model.safetensors', 'ok'],
      ['some/model/tokenizer.json', 'ok'],
      ['some/model/config.json', 'ok'],
      ['some/model', 'ok'],
      ['some/model', 'refused'],
    ]);
    expect(entries[0].bytes).toBe(files['model.safetensors'].length);
    expect(hubRequests).toHaveLength(4);
  });

  it('stays as it is under messages that it does not know', async () => {
    await page.evaluate(() => {
      const { controller } = navigator.serviceWorker;
      const hostile = [null, 'seal', 7, [], { type: 'seal' }, { type: 'seal', closed: 'yes' }];
      for (const message of [...hostile, { type: 'keep', urls: 'all' }, { type: '__proto__' }]) {
        controller?.postMessage(message);
      }
    });
    expect(await page.evaluate(() => handles.app.isSealed())).toBe(false);
    expect(await read(page, HUB)).toMatchObject({ status: 200 });
  });

  it('and the policy: no other host, from the page or from a worker, with the hub as the control', async () => {
    const other = 'https://example.com/collect';
    await expect(read(page, other)).rejects.toThrow('Failed to fetch');
    expect(await askWorker(page, other)).toMatchObject({ error: expect.any(String) as string });
    expect(await askWorker(page, HUB)).toMatchObject({ status: 200 });
    expect(asked.filter((url) => url.startsWith(other))).toEqual([]);
    await server.stop();
    expect(await askWorker(page, other)).toMatchObject({ error: expect.any(String) as string });
  });

  it('brings isolation on a host that sends no headers, to the page and to its workers', async () => {
    const plain = await listen(
      createServer((request, response) => {
        void fetch(server.origin + (request.url ?? ''), { headers: { Accept: 'text/html' } }).then(
          async (answer) => {
            response.writeHead(answer.status, {
              'Content-Type': answer.headers.get('Content-Type') ?? '',
            });
            response.end(Buffer.from(await answer.arrayBuffer()));
          },
        );
      }),
    );
    const opened = await context.newPage();
    let loads = 0;
    opened.on('load', () => (loads += 1));
    await opened.goto(plain.origin);
    // By itself, and before anything is evaluated: to the page that would be a person's touch.
    await expect.poll(() => loads, { timeout: 20_000 }).toBe(2);
    await opened.waitForFunction(() => 'handles' in globalThis);
    expect(await opened.evaluate(() => crossOriginIsolated)).toBe(true);
    expect(await askWorker(opened)).toMatchObject({ status: 200, isolated: true });
    // The worker's policy comes with the header too, where the host sends none.
    const refused = await askWorker(opened, 'https://example.com/collect');
    expect(refused).toMatchObject({ error: expect.any(String) as string });
    await opened.close();
    await plain.close();
  });

  it('updates when asked, never during a run, and keeps models over the update', async () => {
    const model = await read(page, MODEL);
    const wasm = await askWorker(page);
    const { port } = new URL(server.origin);
    await server.stop();
    server = await startServer(second, Number(port));
    await page.evaluate(async () => (await navigator.serviceWorker.ready).update());
    await page.waitForFunction(() => handles.update !== undefined);
    await page.reload();
    expect(await heading(page)).toBe('one');
    await page.waitForFunction(() => handles.update !== undefined);

    const training = await visit('/');
    await training.evaluate(() => handles.holdRun());
    expect(await page.evaluate(() => handles.update?.apply())).toBe(false);
    expect(await heading(page)).toBe('one');
    await training.evaluate(() => handles.endRun());
    const [, applied] = await Promise.all([
      page.waitForEvent('load'),
      page.evaluate(() => handles.update?.apply()).catch(() => true),
    ]);
    expect(applied).toBe(true);
    await expect.poll(() => heading(page)).toBe('two');
    // The other tab goes on with its old page, whose lazy parts are still there.
    expect(await heading(training)).toBe('one');
    await training.getByRole('link').click();
    await expect.poll(() => heading(training)).toBe('deeper');

    await server.stop();
    await page.waitForFunction(() => 'handles' in globalThis);
    expect(await read(page, MODEL)).toEqual(model);
    expect(await askWorker(page)).toEqual(wasm);
  });
});
