/** The harness itself: each promise broken on purpose is noticed, and the same parser kept passes. */
import { afterEach, describe, expect, it } from 'vitest';
import { ConfigError, InkstoneError } from '$lib/config';
import { fuzzParser } from './fuzz-parser';
import { mutateJson } from './mutate-json';

const run = (parse: (text: string) => unknown) =>
  fuzzParser({
    title: 'a parser',
    samples: ['{"a":1}'] as readonly string[],
    mutate: (random, text) => mutateJson(random, JSON.parse(text)),
    maxCaseMs: 150,
    // The untouched sample passes, whatever is done to the others.
    parse: (text) => (text === '{"a":1}' ? undefined : parse(text)),
  });

const refuse = (message: string, code = 'not-json') => {
  throw new ConfigError(code as 'not-json', message);
};

afterEach(() => {
  delete (Object.prototype as { polluted?: unknown }).polluted;
});

describe('the fuzzing', () => {
  it('passes a parser that accepts, and one that refuses by code', async () => {
    expect((await run(() => 1)).accepted).toBeGreaterThan(0);
    const { accepted, refused } = await run(() => refuse('it is not what it should be'));
    expect(accepted + refused['not-json']).toBeGreaterThan(1000);
  });

  it('notices a crash, a refusal without a code, and one that quotes the whole file', async () => {
    const where = /^a parser, case \d+ of seed \d+: /;
    await expect(run((text) => JSON.parse(`${text}?`))).rejects.toThrow(where);
    await expect(run(() => refuse('no code', ''))).rejects.toThrow(where);
    await expect(run(() => refuse('x'.repeat(2000)))).rejects.toThrow(where);
    await expect(
      run(() => {
        throw new InkstoneError('known', 'fine', { details: { found: 'x'.repeat(2000) } });
      }),
    ).rejects.toThrow(where);
  });

  it('notices a prototype that was changed, time without measure, and memory without measure', async () => {
    const cause = async (parse: (text: string) => unknown) =>
      ((await run(parse).catch((error: unknown) => error)) as { cause: Error }).cause.message;
    expect(
      await cause(() => {
        (Object.prototype as { polluted?: unknown }).polluted = true;
      }),
    ).toMatch(/shared prototype/);
    expect(await cause(() => new Uint8Array(300 * 2 ** 20))).toMatch(/are allowed/);
    expect(
      await cause(() => {
        const end = performance.now() + 60_000;
        const { user } = process.cpuUsage();
        while (performance.now() < end && process.cpuUsage().user - user < 400_000);
      }),
    ).toMatch(/it took \d+ ms/);
  });
});
