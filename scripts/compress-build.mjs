// Puts .br and .gz files beside the app's own text files in build/. The runtime's wasm and the
// model files stay as they are: packing tens of megabytes takes minutes and they are fetched once.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const TEXT = new Set(['.html', '.js', '.mjs', '.css', '.json', '.svg', '.webmanifest', '.txt']);
const MIN_BYTES = 1024;
const MAX_BYTES = 4 << 20;
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } };

const root = fileURLToPath(new URL('../build/', import.meta.url));
for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  if (!entry.isFile() || !TEXT.has(extname(entry.name))) continue;
  const { size } = statSync(path);
  if (size < MIN_BYTES || size > MAX_BYTES) continue;
  const bytes = readFileSync(path);
  writeFileSync(`${path}.br`, brotliCompressSync(bytes, BROTLI));
  writeFileSync(`${path}.gz`, gzipSync(bytes));
}
