// Serves the built page on this machine: `node scripts/serve.mjs [--port 4173] [--host localhost]
// [--root build]`. Static files only; it knows no secret, keeps no log and answers GET and HEAD.
import { createReadStream, existsSync, realpathSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { framePolicy, isolationHeaders, workerPolicy } from './content-security-policy.mjs';

const MIME_TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.jsonl': 'application/x-ndjson; charset=utf-8',
  '.csv': 'text/csv; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.jinja': 'text/plain; charset=utf-8',
  '.md': 'text/markdown; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.webp': 'image/webp',
  '.jpg': 'image/jpeg',
  '.onnx': 'application/octet-stream',
  '.safetensors': 'application/octet-stream',
};

const ENCODINGS = [
  ['br', '.br'],
  ['gzip', '.gz'],
];

const isFile = (path) => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;

/** The file for a URL path, or undefined for none and for anything outside the root. */
function findFile(root, urlPath) {
  let decoded;
  try {
    decoded = decodeURIComponent(urlPath);
  } catch {
    return undefined;
  }
  // eslint-disable-next-line no-control-regex -- a NUL ends a path for the operating system
  if (/[\u0000\\]/.test(decoded) || decoded.split('/').includes('..')) return undefined;
  const wanted = join(root, decoded);
  const found = [wanted, `${wanted}.html`, join(wanted, 'index.html')].find(isFile);
  // A link inside the folder may still lead out of it.
  return found && realpathSync(found).startsWith(root + sep) ? found : undefined;
}

/** @returns {{start: number, end: number} | 'whole' | 'unsatisfiable'} `end` is inclusive. */
function readRange(header, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return 'whole';
  const start = match[1] === '' ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const end = match[1] === '' || match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  return start <= end ? { start, end } : 'unsatisfiable';
}

function headersFor(file, urlPath, etag) {
  const extension = extname(file);
  const headers = {
    ...isolationHeaders,
    'Content-Type': MIME_TYPES[extension] ?? 'application/octet-stream',
    'Cache-Control': urlPath.includes('/_app/immutable/')
      ? 'public, max-age=31536000, immutable'
      : 'no-cache',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'Accept-Ranges': 'bytes',
    ETag: etag,
  };
  if (extension === '.html') headers['Content-Security-Policy'] = framePolicy;
  if (extension === '.js' || extension === '.mjs')
    headers['Content-Security-Policy'] = workerPolicy;
  return headers;
}

function send(request, response, status, headers, file, range) {
  response.writeHead(status, headers);
  if (request.method === 'HEAD') return response.end();
  const stream = createReadStream(file, range);
  stream.on('error', () => response.destroy());
  response.on('close', () => stream.destroy());
  stream.pipe(response);
}

function refuse(response, status, sentence, headers = {}) {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', ...headers });
  response.end(`${sentence}\n`);
}

function answer(root, request, response) {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return refuse(response, 405, 'Only GET and HEAD are answered here.', { Allow: 'GET, HEAD' });
  }
  const [urlPath] = (request.url ?? '/').split(/[?#]/);
  if (urlPath.length > 1 && urlPath.endsWith('/')) {
    // Pages have no trailing slash. One leading slash alone: `//host/` would lead to another host.
    const location = `/${urlPath.replace(/^\/+|\/+$/g, '')}`;
    if (findFile(root, location)) return refuse(response, 308, location, { Location: location });
  }
  const file = findFile(root, urlPath);
  if (!file) {
    const fallback = join(root, '404.html');
    if (!(request.headers.accept ?? '').includes('text/html') || !isFile(fallback)) {
      return refuse(response, 404, 'There is no such file.');
    }
    const headers = headersFor(fallback, '', '"fallback"');
    return send(
      request,
      response,
      404,
      { ...headers, 'Content-Length': statSync(fallback).size },
      fallback,
    );
  }

  const { size, mtimeMs } = statSync(file);
  const etag = `"${size.toString(36)}-${Math.trunc(mtimeMs).toString(36)}"`;
  const headers = headersFor(file, urlPath, etag);
  if (request.headers['if-none-match'] === etag) return response.writeHead(304, headers).end();

  const changed = request.headers['if-range'] !== undefined && request.headers['if-range'] !== etag;
  const range = changed ? 'whole' : readRange(request.headers.range, size);
  if (range === 'unsatisfiable') {
    return refuse(response, 416, 'The file is shorter.', { 'Content-Range': `bytes */${size}` });
  }
  if (range !== 'whole') {
    headers['Content-Range'] = `bytes ${range.start}-${range.end}/${size}`;
    headers['Content-Length'] = range.end - range.start + 1;
    return send(request, response, 206, headers, file, range);
  }

  const accepted = (request.headers['accept-encoding'] ?? '').split(/\s*,\s*/);
  const encoding = ENCODINGS.find(
    ([name, suffix]) => accepted.includes(name) && isFile(file + suffix),
  );
  const body = encoding ? file + encoding[1] : file;
  headers.Vary = 'Accept-Encoding';
  headers['Content-Length'] = statSync(body).size;
  if (encoding) headers['Content-Encoding'] = encoding[0];
  send(request, response, 200, headers, body);
}

function main() {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '4173' },
      host: { type: 'string', default: 'localhost' },
      root: { type: 'string', default: fileURLToPath(new URL('../build', import.meta.url)) },
    },
  });
  if (!existsSync(join(values.root, 'index.html'))) {
    throw new Error(`${values.root} holds no built page. Run "npm run build" first.`);
  }
  const root = realpathSync(resolve(values.root));
  const server = createServer((request, response) => {
    try {
      answer(root, request, response);
    } catch (error) {
      console.error(error);
      response.destroy();
    }
  });
  server.on('error', (error) => {
    const taken = error.code === 'EADDRINUSE';
    const why = taken ? `Port ${values.port} is taken. Give another with --port.` : error.message;
    console.error(why);
    process.exit(1);
  });
  server.listen(Number(values.port), values.host, () => {
    console.log(`Inkstone is at http://${values.host}:${server.address().port}`);
  });
}

try {
  main();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
