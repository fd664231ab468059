// Serves the bundled models at /models/NAME/** and the sample datasets at /samples/**, from the
// `models` folder in development and copied into the build. Recipes and evaluation items stay behind.
// `files.json` in each of these folders lists path, size and SHA-256 of the others, and
// `/_app/workers.json` names the scripts and wasm files of workers.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { isolationHeaders } from './content-security-policy.mjs';

const SAMPLES = 'samples';
const WORKER_FILES = '_app/immutable/workers';
/** Of a Hugging Face folder; everything else in a model's folder is how it was made. */
const MODEL_FILE = /^(.*\.(json|safetensors|jinja|onnx|onnx_data|txt)|LICENSE|README\.md)$/;
const SAMPLE_FILE = /\.(json|jsonl|csv|txt)$/;

const MIME_TYPES = {
  '.json': 'application/json',
  '.jsonl': 'application/x-ndjson',
  '.csv': 'text/csv',
  '.txt': 'text/plain; charset=utf-8',
  '.md': 'text/markdown; charset=utf-8',
};

const digestOf = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** @returns {Map<string, () => Buffer>} what to serve, by path without the leading slash. */
function collectFiles(folder) {
  const found = new Map();
  if (!existsSync(folder)) return found;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const isSamples = entry.name === SAMPLES;
    const from = join(folder, entry.name);
    const names = readdirSync(from, { withFileTypes: true })
      .filter((file) => file.isFile() && (isSamples ? SAMPLE_FILE : MODEL_FILE).test(file.name))
      .map((file) => file.name)
      .sort();
    if (!isSamples && !names.includes('config.json')) continue;
    const url = isSamples ? SAMPLES : `models/${entry.name}`;
    for (const name of names) found.set(`${url}/${name}`, () => readFileSync(join(from, name)));
    found.set(`${url}/files.json`, () => {
      const files = names.map((path) => {
        const bytes = readFileSync(join(from, path));
        return { path, sizeBytes: bytes.length, sha256: digestOf(bytes) };
      });
      return Buffer.from(JSON.stringify({ files }));
    });
  }
  return found;
}

/** @returns {import('vite').Plugin} */
export function bundledModels(folder = 'models') {
  return {
    name: 'inkstone-bundled-models',

    // The service worker keeps these files by content: path -> start of the digest.
    config() {
      const digests = Object.fromEntries(
        [...collectFiles(folder)].map(([path, read]) => [path, digestOf(read()).slice(0, 16)]),
      );
      return {
        define: { __BUNDLED_FILES__: JSON.stringify(digests) },
        server: { headers: isolationHeaders },
      };
    },

    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const path = decodeURIComponent((request.url ?? '').split('?')[0]).slice(1);
        if (!/^(models|samples)\//.test(path)) return next();
        const read = collectFiles(folder).get(path);
        // /models also names source files that Vite itself serves, such as the catalogue.
        if (!read) return next();
        const type = MIME_TYPES[extname(path)] ?? 'application/octet-stream';
        response.writeHead(200, {
          ...isolationHeaders,
          'Content-Type': type,
          'Cache-Control': 'no-cache',
        });
        response.end(request.method === 'HEAD' ? undefined : read());
      });
    },

    generateBundle() {
      if (this.environment.name !== 'client') return;
      for (const [fileName, read] of collectFiles(folder)) {
        this.emitFile({ type: 'asset', fileName, source: read() });
      }
    },

    // What workers load is in no list that the service worker gets from the build.
    writeBundle: {
      order: 'post',
      handler(options) {
        if (this.environment.name !== 'client' || !options.dir) return;
        const folder = join(options.dir, WORKER_FILES);
        if (!existsSync(folder)) return;
        const files = readdirSync(folder, { recursive: true })
          .map((name) => `${WORKER_FILES}/${String(name).replaceAll('\\', '/')}`)
          .filter((path) => statSync(join(options.dir, path)).isFile())
          .sort();
        writeFileSync(join(options.dir, '_app/workers.json'), JSON.stringify({ files }));
      },
    },
  };
}
