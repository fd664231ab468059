/**
 * Runs TypeScript of the rooms in a real Chromium: finds the browser, bundles an entry file, and serves
 * it from an origin of its own. Kept small, so that a room can test what Node does not have.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { chromium, type Browser, type BrowserContext } from 'playwright';
import { build, type Rolldown } from 'vite';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** CHROMIUM_PATH, then Playwright's own browser, then what the search path has; undefined for none. */
export function findChromium(): string | undefined {
  const installed = (process.env.PATH ?? '')
    .split(delimiter)
    .flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return [process.env.CHROMIUM_PATH, chromium.executablePath(), ...installed].find(
    (path) => path !== undefined && path !== '' && existsSync(path),
  );
}

export const launchChromium = (): Promise<Browser> =>
  chromium.launch({
    executablePath: findChromium(),
    args: ['--headless=new', '--no-sandbox'],
    ignoreDefaultArgs: ['--headless'],
  });

/** A browser with an ordinary profile on disk, not the private window that `newContext` opens. */
export async function launchWithProfile(): Promise<BrowserContext & { discard(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'inkstone-profile-'));
  const context = await chromium.launchPersistentContext(folder, {
    executablePath: findChromium(),
    args: ['--headless=new', '--no-sandbox'],
    ignoreDefaultArgs: ['--headless'],
  });
  return Object.assign(context, {
    async discard() {
      await context.close();
      rmSync(folder, { recursive: true, force: true });
    },
  });
}

/** One classic-or-module script without imports. */
export async function bundle(
  entry: string,
  options: { define?: Record<string, string>; modules?: Record<string, string> } = {},
): Promise<string> {
  const { modules = {} } = options;
  const output = (await build({
    configFile: false,
    logLevel: 'error',
    define: options.define,
    plugins: [
      {
        name: 'given-modules',
        resolveId: (id) => (id in modules ? `\0${id}` : undefined),
        load: (id) => modules[id.slice(1)],
      },
    ],
    build: {
      write: false,
      minify: false,
      target: 'es2022',
      rollupOptions: { input: entry, preserveEntrySignatures: false },
      modulePreload: false,
    },
  })) as Rolldown.RolldownOutput;
  const [chunk, ...rest] = output.output.filter((part) => part.type === 'chunk');
  if (rest.length > 0) throw new Error(`${entry} bundles into more than one script.`);
  return chunk.code;
}

export interface Site {
  origin: string;
  close(): Promise<void>;
}

/** Serves scripts by path, and an empty page at every other one. */
export async function serveScripts(scripts: Record<string, string>): Promise<Site> {
  const server = createServer((request, response) => {
    const script = scripts[request.url ?? ''];
    response.setHeader('Content-Type', script ? 'text/javascript' : 'text/html');
    response.end(script ?? '<!doctype html><title>test</title>');
  });
  return listen(server);
}

export async function listen(server: Server): Promise<Site> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://localhost:${port}`,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}
