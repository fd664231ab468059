/** tokenizer.json and tokenizer_config.json, and what a tokenizer made of damaged ones then does. */
import { describe, expect, it } from 'vitest';
import { createStreamDecoder, loadTokenizer, TextError, type Tokenizer } from '$lib/text';
import { fuzzParser } from './fuzz-parser';
import { chance } from './hostile';
import { mutateJson } from './mutate-json';
import { TOKENIZERS } from './tokenizers';

const TEXTS = ['hello 42, <x>o? </s>', '\uD800 ﷺ\0', 'l'.repeat(300)];

/** What a TextError may say of a text or of ids; anything else is a crash. */
function attempt<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof TextError) return undefined;
    throw error;
  }
}

function use(tokenizer: Tokenizer, text: string): void {
  const ids = attempt(() => tokenizer.encode(text));
  if (!ids) return;
  for (const id of ids) expect(id >= 0 && id < tokenizer.vocabSize).toBe(true);
  const decoded = attempt(() => tokenizer.decode(ids));
  if (decoded !== undefined) expect(typeof decoded).toBe('string');
  const stream = createStreamDecoder(tokenizer);
  for (const id of ids.slice(0, 20)) attempt(() => stream.push(id));
}

describe('hostile tokenizer files', () => {
  it('are refused by code or make a tokenizer that encodes, decodes, or says why not', async () => {
    let used = 0;
    const counts = await fuzzParser({
      title: 'tokenizer',
      samples: TOKENIZERS,
      mutate: (random, { json, config }) =>
        chance(random, 4)
          ? { json, config: mutateJson(random, JSON.parse(config)) }
          : { json: mutateJson(random, JSON.parse(json)), config },
      parse({ json, config }) {
        const tokenizer = loadTokenizer({ tokenizerJson: json, tokenizerConfig: config });
        for (const text of TEXTS) use(tokenizer, text);
        return tokenizer;
      },
      check({ vocabSize, bosId, eosId, padId, unkId, specialTokens }) {
        used++;
        expect(Number.isSafeInteger(vocabSize) && vocabSize > 0).toBe(true);
        for (const id of [bosId, eosId, padId, unkId])
          if (id !== undefined) expect(id >= 0 && id < vocabSize).toBe(true);
        for (const text of Object.values(specialTokens)) expect(typeof text).toBe('string');
      },
    });
    expect(used).toBeGreaterThan(1000);
    expect(counts.refused['bad-tokenizer']).toBeGreaterThan(1000);
  });
});
