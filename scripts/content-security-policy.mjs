// What the page and its workers may load and reach: this origin, and the model hosts of
// src/lib/hub/hosts.json. Read by svelte.config.js, vite.config.ts and scripts/serve.mjs.
import { readFileSync } from 'node:fs';

/** @type {{ endpoints: string[], fileHosts: string[] }} */
const hosts = JSON.parse(
  readFileSync(new URL('../src/lib/hub/hosts.json', import.meta.url), 'utf8'),
);

// blob: and data: never leave the device; runtimes fetch what they made themselves.
const reachable = ['self', 'blob:', 'data:', ...hosts.endpoints, ...hosts.fileHosts];

/**
 * For `kit.csp`, which adds the hashes of its inline scripts and writes a meta element.
 * `unsafe-inline` for styles: Svelte sets style attributes, which no hash can allow.
 * @type {import('@sveltejs/kit').Config['kit']['csp']['directives']}
 */
export const pageDirectives = {
  'default-src': ['self'],
  'script-src': ['self', 'wasm-unsafe-eval'],
  'worker-src': ['self', 'blob:'],
  'connect-src': reachable,
  'img-src': ['self', 'blob:', 'data:'],
  'media-src': ['self', 'blob:'],
  'style-src': ['self', 'unsafe-inline'],
  'object-src': ['none'],
  'base-uri': ['self'],
  'form-action': ['none'],
};

const quote = (source) =>
  ['self', 'none', 'wasm-unsafe-eval'].includes(source) ? `'${source}'` : source;

const write = (directives) =>
  Object.entries(directives)
    .map(([name, sources]) => `${name} ${sources.map(quote).join(' ')}`)
    .join('; ');

/** A worker obeys the header of its own script, not the page's meta element. */
export const workerPolicy = write({
  'default-src': ['self'],
  'script-src': ['self', 'blob:', 'wasm-unsafe-eval'],
  'worker-src': ['self', 'blob:'],
  'connect-src': reachable,
});

/** The part that a meta element cannot say. */
export const framePolicy = "frame-ancestors 'none'";

/** Give the page SharedArrayBuffer, which the threads of ONNX Runtime need. */
export const isolationHeaders = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
};
