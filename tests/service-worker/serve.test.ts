/** Plan: what scripts/serve.mjs sends for each kind of file, and what it refuses, over a small folder. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type Server } from './build-fixture';

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

let folder: string;
let server: Server;

/** `fetch` would tidy the path before sending it. */
const get = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> =>
  new Promise((done, fail) => {
    const { hostname, port } = new URL(server.origin);
    const sent = request({ hostname, port, path, headers, method }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () =>
        done({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(parts).toString(),
        }),
      );
    });
    sent.on('error', fail).end();
  });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'inkstone-serve-'));
  const root = join(folder, 'build');
  mkdirSync(join(root, '_app/immutable'), { recursive: true });
  mkdirSync(join(root, 'deep'));
  writeFileSync(join(folder, 'secret.txt'), 'secret');
  const files = {
    'index.html': 'home',
    'train.html': 'train',
    'deep/index.html': 'deep',
    '404.html': 'fallback',
    '_app/immutable/a.js': 'plain',
    'a.wasm': 'wasm',
    'a.webmanifest': '{}',
    'model.safetensors': '0123456789',
    'model.onnx': 'onnx',
    '模型.json': '[]',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
  writeFileSync(join(root, '_app/immutable/a.js.br'), brotliCompressSync('plain'));
  symlinkSync(join(folder, 'secret.txt'), join(root, 'link.txt'));
  server = await startServer(root);
});

afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('the server', () => {
  it.each([
    ['/', 200, 'home'],
    ['/train', 200, 'train'],
    ['/deep', 200, 'deep'],
    ['/train?x=/../y', 200, 'train'],
    ['/%E6%A8%A1%E5%9E%8B.json', 200, '[]'],
  ])('finds the file of %s', async (path, status, body) => {
    expect(await get(path)).toMatchObject({ status, body });
  });

  it.each([
    ['/a.wasm', 'application/wasm'],
    ['/a.webmanifest', 'application/manifest+json'],
    ['/model.onnx', 'application/octet-stream'],
    ['/model.safetensors', 'application/octet-stream'],
    ['/_app/immutable/a.js', 'text/javascript; charset=utf-8'],
  ])('gives %s its type', async (path, type) => {
    expect((await get(path)).headers['content-type']).toBe(type);
  });

  it('sends isolation and the policy that a meta element cannot say', async () => {
    const { headers } = await get('/');
    expect(headers).toMatchObject({
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
      'content-security-policy': "frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
    });
    const script = (await get('/_app/immutable/a.js')).headers['content-security-policy'];
    expect(script).toContain("default-src 'self'");
    expect(script).toContain('https://huggingface.co');
  });

  it('lets hashed files be kept for ever and has all others asked for again', async () => {
    expect((await get('/_app/immutable/a.js')).headers['cache-control']).toContain('immutable');
    const { headers } = await get('/train');
    expect(headers['cache-control']).toBe('no-cache');
    const again = await get('/train', { 'If-None-Match': headers.etag ?? '' });
    expect(again).toMatchObject({ status: 304, body: '' });
  });

  it('sends the compressed twin to who accepts it, and the plain file to others', async () => {
    const br = await get('/_app/immutable/a.js', { 'Accept-Encoding': 'gzip, br' });
    expect(br.headers['content-encoding']).toBe('br');
    const plain = await get('/_app/immutable/a.js', { 'Accept-Encoding': 'gzip' });
    expect([plain.headers['content-encoding'], plain.body]).toEqual([undefined, 'plain']);
  });

  it.each([
    ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
    ['bytes=7-', 206, '789', 'bytes 7-9/10'],
    ['bytes=-3', 206, '789', 'bytes 7-9/10'],
    ['bytes=8-99', 206, '89', 'bytes 8-9/10'],
    ['bytes=10-', 416, 'The file is shorter.\n', 'bytes */10'],
    ['bytes=1-2,4-5', 200, '0123456789', undefined],
  ])('answers the range %s', async (range, status, body, contentRange) => {
    const answer = await get('/model.safetensors', { Range: range });
    expect(answer).toMatchObject({ status, body });
    expect(answer.headers['content-range']).toBe(contentRange);
  });

  it('sends all of a file that has changed since the part that the caller has', async () => {
    const headers = { Range: 'bytes=7-', 'If-Range': '"older"' };
    expect(await get('/model.safetensors', headers)).toMatchObject({ status: 200 });
    const etag = (await get('/model.safetensors')).headers.etag ?? '';
    const same = await get('/model.safetensors', { Range: 'bytes=7-', 'If-Range': etag });
    expect(same).toMatchObject({ status: 206, body: '789' });
  });

  it('starts the page for a path that only the router knows, and no page for a missing file', async () => {
    const page = await get('/train/run-7', { Accept: 'text/html,*/*' });
    expect(page).toMatchObject({ status: 404, body: 'fallback' });
    const file = await get('/missing.json', { Accept: '*/*' });
    expect(file).toMatchObject({ status: 404, body: 'There is no such file.\n' });
  });

  it.each([
    '/../secret.txt',
    '/deep/../../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/..%5csecret.txt',
    '/train.html%00.txt',
    '/link.txt',
    '/%zz',
  ])('refuses to leave its folder: %s', async (path) => {
    const answer = await get(path);
    expect(answer.status).toBe(404);
    expect(answer.body).not.toContain('secret');
  });

  it('takes a trailing slash off, and never sends anyone to another host', async () => {
    expect(await get('/train/')).toMatchObject({ status: 308, headers: { location: '/train' } });
    expect((await get('//train/')).headers.location).toBe('/train');
    expect((await get('//example.com/')).headers.location).toBeUndefined();
  });

  it('answers HEAD without a body and no other method', async () => {
    const head = await get('/train', {}, 'HEAD');
    expect([head.status, head.body, head.headers['content-length']]).toEqual([200, '', '5']);
    expect((await get('/train', {}, 'POST')).status).toBe(405);
  });

  it('says what to do when nothing was built or the port is taken', async () => {
    await expect(startServer(join(folder, 'nowhere'))).rejects.toThrow('npm run build');
    const { port } = new URL(server.origin);
    await expect(startServer(join(folder, 'build'), Number(port))).rejects.toThrow('--port');
  });
});
