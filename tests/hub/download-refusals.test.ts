/**
 * Plan: every permanent refusal with its sentence; wrong bytes; hosts, seal and ledger; each beside a
 * download that works. Against a hub on this machine.
 */
import { describe, expect, it } from 'vitest';
import { HubError, setSealClosed, type DownloadRequest } from '../../src/lib/hub';
import { COMMIT, REPO, type Fault } from './hub-server';
import {
  KEPT,
  WEIGHTS,
  weightsSize,
  hub,
  files,
  tables,
  download,
  fault,
  ledger,
  expectWhole,
  failure,
  repeat,
} from './download-setup';

describe('a refusal', () => {
  const cases: [string, Fault, Partial<DownloadRequest>, string][] = [
    ['of a gated model', { status: 403, headers: { 'X-Error-Code': 'GatedRepo' } }, {}, 'gated'],
    ['without a token', { status: 401 }, {}, 'gated'],
    ['of the token', { status: 401 }, { token: 'old' }, 'token-refused'],
    [
      'of a model that is not there',
      { status: 401, headers: { 'X-Error-Code': 'RepoNotFound' } },
      {},
      'not-found',
    ],
    ['of a file that is not there', { status: 404 }, {}, 'not-found'],
    ['that nobody expects', { status: 418 }, {}, 'bad-answer'],
  ];
  it.each(cases)('%s is permanent and names the next step', async (_title, one, request, code) => {
    fault('revision/main', one);
    const error = await failure(download(request));
    expect(error).toBeInstanceOf(HubError);
    expect(error).toMatchObject({ code, retryable: false });
    expect(hub.seen).toHaveLength(1);
    hub.faults.clear();
    await download();
    await expectWhole();
  });

  it('of a gated model says where to accept its conditions', async () => {
    hub.token = 'needed';
    const error = await failure(download());
    expect(error.message).toContain(`${hub.endpoint}/${REPO}`);
    expect(error.details.page).toBe(`${hub.endpoint}/${REPO}`);
  });

  it('of an unknown revision', async () => {
    expect(await failure(download({ revision: 'never' }))).toMatchObject({ code: 'not-found' });
  });

  it.each([
    [{ repo: 'no-owner' }],
    [{ repo: '../etc/passwd' }],
    [{ repo: 'a/..' }],
    [{ repo: 'a/b?x' }],
    [{ revision: '../main' }],
    [{ revision: 'a b' }],
    [{ endpoint: 'not a url' }],
    [{ id: '../up' }],
  ])('of a request that makes no sense is made before anything is sent: %j', async (request) => {
    expect(await failure(download(request))).toMatchObject({ code: 'bad-request' });
    expect(hub.seen).toEqual([]);
  });

  it.each([
    ['config.json', 'config.json'],
    ['tokenizer.json', 'tokenizer.json'],
    [WEIGHTS, 'model.safetensors'],
  ])('of a repository without %s names it', async (path, named) => {
    hub.describe = ({ siblings, ...rest }) => ({
      ...rest,
      siblings: (siblings as { rfilename: string }[]).filter((file) => file.rfilename !== path),
    });
    const error = await failure(download());
    expect(error).toMatchObject({ code: 'unsupported-files', retryable: false });
    expect(error.message).toContain(named);
  });

  it.each([
    ['no commit', { sha: 'main' }],
    ['no list', { siblings: 'none' }],
  ])('of a description with %s', async (_title, wrong) => {
    hub.describe = (description) => ({ ...description, ...wrong });
    expect(await failure(download())).toMatchObject({ code: 'bad-answer' });
  });
});

describe('wrong bytes', () => {
  it.each([[WEIGHTS], ['config.json']])('of %s once are fetched again', async (path) => {
    fault(`/${path}`, ...(path === WEIGHTS ? [{}, { corrupt: true }] : [{ corrupt: true }]));
    await download();
    await expectWhole();
  });

  it.each([[WEIGHTS], ['config.json']])(
    'of %s twice are refused, and nothing is kept',
    async (path) => {
      fault(`${path === WEIGHTS ? 'blobs' : COMMIT}/${path}`, ...repeat(4, { corrupt: true }));
      expect(await failure(download())).toMatchObject({ code: 'wrong-bytes', retryable: false });
      const left = (await files.list('')).map((entry) => entry.path);
      expect(left.filter((entry) => entry.includes(path))).toEqual([]);
      expect(left.filter((entry) => entry.startsWith('models/'))).toEqual([]);
    },
  );

  it('that are too many are not stored', async () => {
    fault(`blobs/${WEIGHTS}`, ...repeat(4, { extraBytes: 5 }));
    expect(await failure(download())).toMatchObject({ code: 'wrong-bytes' });
    const parts = (await files.list('downloads')).filter(({ path }) => path.endsWith('.part'));
    for (const part of parts) expect(part.sizeBytes).toBeLessThanOrEqual(weightsSize);
  });

  it('of a full part from before are found and fetched anew', async () => {
    const part = `downloads/tiny--llama/${COMMIT}/${WEIGHTS}.part`;
    await files.writeFile(part, new Uint8Array(weightsSize));
    await download();
    await expectWhole();
  });
});

describe('hosts, seal and ledger', () => {
  it('every request is written down with its purpose, outcome and bytes', async () => {
    await download();
    const entries = (await ledger()).reverse();
    expect(entries).toHaveLength(1 + KEPT.length);
    expect(entries[0]).toMatchObject({
      method: 'GET',
      host: new URL(hub.endpoint).host,
      path: `/api/models/${REPO}/revision/main`,
      purpose: REPO,
      outcome: 'ok',
      status: 200,
    });
    const weights = entries.find(({ purpose }) => purpose === `${REPO}/${WEIGHTS}`);
    expect(weights).toMatchObject({
      bytes: weightsSize,
      finalHost: new URL(hub.fileHost).host,
      outcome: 'ok',
    });
    expect(JSON.stringify(entries)).not.toContain('Signature');
    // The notes to the service worker are gone.
    expect(await tables.list('settings')).toEqual([]);
  });

  it('a closed seal lets nothing out, and an open one does', async () => {
    await setSealClosed(tables, true);
    expect(await failure(download())).toMatchObject({ code: 'sealed', retryable: false });
    expect(hub.seen).toEqual([]);
    expect((await ledger())[0]).toMatchObject({ outcome: 'refused' });
    await setSealClosed(tables, false);
    await download();
    await expectWhole();
  });

  it('a seal that is closed in between stops at the next file', async () => {
    const error = await failure(
      download({}, { onProgress: () => void setSealClosed(tables, true) }),
    );
    expect(error).toMatchObject({ code: 'sealed' });
    expect(hub.seen.some(({ path }) => path.endsWith(WEIGHTS))).toBe(false);
  });

  it('a 503 of the service worker is not tried again', async () => {
    fault('revision/main', { status: 503, headers: { 'x-inkstone-sealed': 'closed' } });
    expect(await failure(download())).toMatchObject({ code: 'sealed' });
    expect(hub.seen).toHaveLength(1);
  });

  it.each([
    'https://example.com',
    'http://huggingface.co',
    'https://huggingface.co.example.com',
    'https://nothuggingface.co',
    'https://user:password@huggingface.co',
    'https://huggingface.co:8443',
  ])('%s is never asked', async (endpoint) => {
    expect(await failure(download({ endpoint }))).toMatchObject({ code: 'host-not-allowed' });
    expect((await ledger())[0]).toMatchObject({ outcome: 'refused' });
  });
});
