/**
 * Builds a small app around the real service worker, policy, Vite plugin and server of this
 * repository, so that they are tested apart from the pages.
 */
import { execFile, spawn } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const fixture = fileURLToPath(new URL('./fixture', import.meta.url));
const golden = join(repository, 'tests/reference/goldens/models/llama-f16');

export interface Fixture {
  /** Built page of a version; the heading of its home page is the version's name. */
  build(version: string): Promise<string>;
  discard(): void;
}

export function prepareFixture(): Fixture {
  const app = mkdtempSync(join(tmpdir(), 'inkstone-app-'));
  cpSync(fixture, app, { recursive: true });
  // Named so that no tool of the repository takes them for its own.
  for (const page of ['+layout', '+page', 'deep/er/+page']) {
    const path = join(app, 'src/routes', `${page}.svelte`);
    renameSync(`${path}.txt`, path);
  }
  for (const part of [
    'svelte.config.js',
    'vite.config.ts',
    'tsconfig.json',
    'package.json',
    'scripts',
    'src/service-worker',
    'src/lib/config',
    'src/lib/formats/sha256.ts',
    'src/lib/hub',
    'src/lib/storage',
    'models/catalogue.json',
  ]) {
    cpSync(join(repository, part), join(app, part), { recursive: true });
  }
  symlinkSync(join(repository, 'node_modules'), join(app, 'node_modules'));

  const model = join(app, 'models/nano-lm');
  mkdirSync(join(model, 'recipe'), { recursive: true });
  for (const name of ['config.json', 'model.safetensors']) {
    writeFileSync(join(model, name), readFileSync(join(golden, name)));
  }
  writeFileSync(join(model, 'recipe/make.py'), '# stays behind');
  mkdirSync(join(app, 'models/samples'));
  writeFileSync(join(app, 'models/samples/medical.en.json'), '[{"instruction":"a","output":"b"}]');

  return {
    async build(version) {
      const page = join(app, 'src/routes/+page.svelte');
      writeFileSync(
        page,
        readFileSync(page, 'utf8').replace(/<h1>.*<\/h1>/, `<h1>${version}</h1>`),
      );
      const vite = join(repository, 'node_modules/vite/bin/vite.js');
      await promisify(execFile)(process.execPath, [vite, 'build', '--logLevel', 'error'], {
        cwd: app,
        env: { ...process.env, NODE_ENV: 'production' },
      });
      const out = join(app, `build-${version}`);
      cpSync(join(app, 'build'), out, { recursive: true });
      return out;
    },
    discard: () => rmSync(app, { recursive: true, force: true }),
  };
}

export interface Server {
  origin: string;
  stop(): Promise<void>;
}

/** `scripts/serve.mjs` over a built page. Port 0 takes a free one. */
export function startServer(root: string, port = 0): Promise<Server> {
  const script = join(repository, 'scripts/serve.mjs');
  const child = spawn(process.execPath, [script, '--root', root, '--port', String(port)]);
  const exited = new Promise<void>((done) => child.once('exit', () => done()));
  return new Promise((resolve, reject) => {
    let said = '';
    child.stderr.on('data', (text: Buffer) => (said += text.toString()));
    child.stdout.on('data', (text: Buffer) => {
      const origin = /http:\S+/.exec(text.toString())?.[0];
      if (!origin) return;
      resolve({
        origin,
        async stop() {
          child.kill();
          await exited;
        },
      });
    });
    child.once('exit', (code) => reject(new Error(`serve.mjs ended with ${code}: ${said}`)));
  });
}
