/** Messages on a worker's port, which other programs, old versions and hostile pages may write to. */
import { describe, expect, it } from 'vitest';
import { fromWireError } from '$lib/rpc/errors';
import { readReply, readRequest, WIRE_MARK } from '$lib/rpc/serve-messages';
import { fuzzParser } from './fuzz-parser';
import { mutateJson } from './mutate-json';

const base = { mark: WIRE_MARK, id: 'caller:1' };
const error = {
  name: 'StorageError',
  code: 'full',
  message: 'There is no room.',
  retryable: true,
  details: { what: 'x', freeBytes: 3 },
  stack: 'Error: at x',
};
const MESSAGES = [
  { ...base, kind: 'call', method: 'train', input: { a: [1, 2] } },
  { ...base, kind: 'abort' },
  { ...base, kind: 'result', value: { a: 1 } },
  { ...base, kind: 'progress', update: 3 },
  { ...base, kind: 'error', error },
  { mark: WIRE_MARK, kind: 'alive', lock: 'inkstone:worker:1' },
];

function parseOrIgnore(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

describe('hostile messages', () => {
  it('are ignored or become a request or a reply whose every field has its type', async () => {
    let read = 0;
    await fuzzParser({
      title: 'rpc message',
      samples: MESSAGES.map((message) => JSON.stringify(message)),
      mutate: (random, text) => mutateJson(random, JSON.parse(text)),
      parse(text) {
        const data = parseOrIgnore(text);
        return { request: readRequest(data), reply: readReply(data) };
      },
      check({ request, reply }) {
        for (const message of [request, reply]) {
          if (!message) continue;
          read++;
          expect(message.mark).toBe(WIRE_MARK);
          expect(typeof (message.kind === 'alive' ? message.lock : message.id)).toBe('string');
        }
        if (request?.kind === 'call') expect(typeof request.method).toBe('string');
        if (reply?.kind !== 'error') return;
        const { code, message, retryable, details } = reply.error;
        expect([typeof code, typeof message, typeof retryable]).toEqual([
          'string',
          'string',
          'boolean',
        ]);
        for (const value of Object.values(details))
          expect(['string', 'number']).toContain(typeof value);
        expect(fromWireError(reply.error)).toBeInstanceOf(Error);
      },
    });
    expect(read).toBeGreaterThan(1000);
  });
});
