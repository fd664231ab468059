import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createStreamDecoder, loadTokenizer, MAX_TEXT_CHARS, TextError } from '$lib/text';
import {
  byteLevel,
  expectTextError,
  metaspace,
  openFixture,
  openNanoLm,
  readFixture,
} from './fixtures';

interface Goldens {
  readonly encoded: readonly { text: string; ids: number[]; bareIds: number[] }[];
  readonly decoded: readonly { ids: number[]; text: string; bareText: string }[];
}

describe.each([
  ['byte-level', byteLevel],
  ['digits', openFixture('digits')],
  ['metaspace', metaspace],
])('tokenizer %s', (name, tokenizer) => {
  const { encoded, decoded } = readFixture(`${name}/goldens.json`) as Goldens;

  it.each(encoded)('encodes $text as Python does', ({ text, ids, bareIds }) => {
    expect(tokenizer.encode(text, { addSpecialTokens: false })).toEqual(bareIds);
    expect(tokenizer.encode(text)).toEqual(ids);
  });

  it('decodes as Python does, from inside characters too, with and without special tokens', () => {
    for (const { ids, text, bareText } of decoded) {
      // Python gives U+FFFD for every byte of a broken run, the library one a broken character.
      if (name === 'metaspace' && text.includes('\uFFFD')) continue;
      expect(tokenizer.decode(ids)).toBe(text);
      expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(bareText);
    }
  });

  it('refuses ids outside the vocabulary; the last inside is decoded', () => {
    const { vocabSize } = tokenizer;
    expect(typeof tokenizer.decode([vocabSize - 1])).toBe('string');
    expect(tokenizer.decode([])).toBe('');
    for (const id of [vocabSize, -1, 1.5, NaN]) {
      expectTextError(() => tokenizer.decode([0, id]), 'bad-token-id', /0 to \d+ are allowed/);
    }
  });
});

describe('tokenizer', () => {
  it('gives back any text that it encoded', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(byteLevel.decode(byteLevel.encode(text))).toBe(text);
      }),
    );
  });

  it('knows its special tokens', () => {
    expect(byteLevel).toMatchObject({ bosId: undefined, eosId: 2, padId: 0, unkId: undefined });
    expect(metaspace).toMatchObject({ bosId: 1, eosId: 2, padId: undefined, unkId: 0 });
    expect(metaspace.specialTokens).toEqual({
      bos_token: '<s>',
      eos_token: '</s>',
      unk_token: '<unk>',
    });
    expect(byteLevel.tokenId('<|im_start|>')).toBe(1);
    expect(byteLevel.tokenId('no such token')).toBeUndefined();
    expect(byteLevel.isSpecial(1)).toBe(true);
    expect(byteLevel.isSpecial(100)).toBe(false);
    expect(byteLevel.vocabSize).toBe(420);
  });

  it('takes the files as text or parsed, and a template from its own file', () => {
    const tokenizerJson = JSON.stringify(readFixture('byte-level/tokenizer.json'));
    expect(loadTokenizer({ tokenizerJson }).chatTemplate).toBeUndefined();
    expect(loadTokenizer({ tokenizerJson, chatTemplate: 'x' }).chatTemplate).toBe('x');
    const named = {
      chat_template: [
        { name: 'tool_use', template: 'a' },
        { name: 'default', template: 'b' },
      ],
    };
    expect(loadTokenizer({ tokenizerJson, tokenizerConfig: named }).chatTemplate).toBe('b');
  });

  it('opens the bundled model', () => {
    const tokenizer = openNanoLm();
    if (!tokenizer) return;
    for (const text of [
      '你好,世界!',
      'Hello world 123',
      '砚😀',
      '<|im_start|>user\nhi<|im_end|>\n',
    ]) {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    }
    expect(tokenizer.chatTemplate).toContain('<|im_start|>');
  });

  it('refuses a text longer than any context', () => {
    const text = 'a'.repeat(MAX_TEXT_CHARS + 1);
    expectTextError(() => byteLevel.encode(text), 'too-large', /33554433 characters/);
  });

  it('refuses a token that the vocabulary lacks, instead of leaving a hole', () => {
    const load = (bos: string) =>
      loadTokenizer({
        tokenizerJson: {
          model: { type: 'BPE', vocab: { a: 0, '<s>': 1 }, merges: [] },
          post_processor: {
            type: 'TemplateProcessing',
            single: [
              { SpecialToken: { id: bos, type_id: 0 } },
              { Sequence: { id: 'A', type_id: 0 } },
            ],
            pair: [],
          },
        },
      });
    expect(load('<s>').encode('a')).toEqual([1, 0]);
    expectTextError(() => load('<t>').encode('a'), 'unencodable', /no token for "<t>"/);
  });
});

describe('tokenizer files', () => {
  const good = readFixture('byte-level/tokenizer.json') as {
    model: object;
    added_tokens: object[];
  };
  const load = (changes: object, tokenizerConfig?: unknown) => () =>
    loadTokenizer({ tokenizerJson: { ...good, ...changes }, tokenizerConfig });
  const withModel = (changes: object) => load({ model: { ...good.model, ...changes } });

  it('are refused by name, each beside the control', () => {
    expect(load({})().vocabSize).toBe(420);
    const refused: [() => unknown, RegExp][] = [
      [() => loadTokenizer({ tokenizerJson: '{' }), /tokenizer.json is not JSON/],
      [() => loadTokenizer({ tokenizerJson: [] }), /tokenizer.json is no JSON object/],
      [() => loadTokenizer({ tokenizerJson: undefined }), /no JSON object/],
      [load({}, 'null'), /tokenizer_config.json is no JSON object/],
      [load({ model: undefined }), /has no "model"/],
      [withModel({ type: 'WordLevel' }), /type WordLevel; BPE, Unigram, WordPiece/],
      [withModel({ vocab: {} }), /has 0 entries/],
      [withModel({ vocab: 3 }), /has no entries/],
      [withModel({ vocab: { a: -1 } }), /"a" .* has id -1/],
      [withModel({ vocab: { a: 1, b: 1 } }), /"b" .* has id 1; .*each once/],
      [withModel({ vocab: { a: 2 ** 31 } }), /has id 2147483648; whole numbers below 1048576/],
      [withModel({ vocab: { a: 'x' } }), /no token with a number/],
      [withModel({ merges: undefined }), /no list of at most/],
      [withModel({ merges: ['ab'] }), /no pair of tokens/],
      [withModel({ merges: [['a', 1]] }), /no pair of tokens/],
      [load({ added_tokens: [{ id: 1 }] }), /added_tokens\[0\] .* no content/],
      [load({ added_tokens: [{ id: 2 ** 40, content: 'a' }] }), /added_tokens\[0\]/],
      [load({ added_tokens: 'x' }), /added_tokens .* is no list/],
      [load({ decoder: { type: 'Nonsense' } }), /no tokenizer can be built .*Nonsense/],
      [
        load({ pre_tokenizer: { type: 'Split', pattern: { Regex: '(' } } }),
        /no tokenizer can be built/,
      ],
      [load({}, { eos_token: 3 }), /eos_token in tokenizer_config.json is no text/],
    ];
    for (const [action, says] of refused) expectTextError(action, 'bad-tokenizer', says);
  });

  it('survive mutation: a TextError or a tokenizer that works or says TextError', () => {
    const text = JSON.stringify({
      ...good,
      model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2, 你: 3 }, merges: ['a b'] },
    });
    const config = '{"eos_token":"<|im_end|>","chat_template":"{{ messages }}"}';
    const place = fc.nat(text.length + config.length - 1);
    const junk = fc.constantFrom('', '"', '{', ']', ',', 'null', '0', '-1', '1e9', '[]', '{}', 'a');
    fc.assert(
      fc.property(fc.array(fc.tuple(place, junk, fc.nat(8)), { minLength: 1 }), (edits) => {
        let both = text + config;
        for (const [i, insert, drop] of edits)
          both = both.slice(0, i) + insert + both.slice(i + drop);
        try {
          const tokenizer = loadTokenizer({
            tokenizerJson: both.slice(0, text.length),
            tokenizerConfig: edits.length % 2 ? config : both.slice(text.length),
          });
          tokenizer.decode(tokenizer.encode('ab 你 <|im_end|>'));
        } catch (error) {
          if (!(error instanceof TextError)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('survive values of the wrong kind anywhere', () => {
    const paths = [
      'normalizer',
      'pre_tokenizer',
      'post_processor',
      'decoder',
      'added_tokens',
      'model',
    ];
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue({ maxDepth: 3 }), (path, value) => {
        try {
          const tokenizer = load({ [path]: value })();
          tokenizer.decode(tokenizer.encode('ab 你 <|im_end|>'));
        } catch (error) {
          if (!(error instanceof TextError)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('stream decoder', () => {
  const stream = (ids: readonly number[], tokenizer = byteLevel) => {
    const decoder = createStreamDecoder(tokenizer, { skipSpecialTokens: false });
    const parts = ids.map((id) => decoder.push(id));
    return [...parts, decoder.flush()];
  };

  it('gives in pieces what decoding gives at once', () => {
    const text = fc.string({ unit: 'grapheme' });
    for (const tokenizer of [byteLevel, metaspace]) {
      fc.assert(
        fc.property(text, (value) => {
          const ids = tokenizer.encode(value, { addSpecialTokens: false });
          expect(stream(ids, tokenizer).join('')).toBe(tokenizer.decode(ids));
        }),
      );
    }
  });

  it('gives in pieces what decoding gives at once, for any ids', () => {
    for (const tokenizer of [byteLevel, metaspace]) {
      const ids = fc.array(fc.nat(tokenizer.vocabSize - 1));
      fc.assert(
        fc.property(ids, (value) => {
          expect(stream(value, tokenizer).join('')).toBe(tokenizer.decode(value));
        }),
      );
    }
  });

  it('never gives half a character', () => {
    const text = '砚😀👨‍👩‍👧‍👦龘𠮷';
    const ids = byteLevel.encode(text);
    expect(ids.length).toBeGreaterThan(10);
    const parts = stream(ids);
    expect(parts.join('')).toBe(text);
    for (const part of parts) {
      expect(part).not.toContain('\uFFFD');
      expect(part.isWellFormed()).toBe(true);
    }
  });

  it('flushes bytes that never became a character, and starts afresh', () => {
    const ids = byteLevel.encode('砚');
    const decoder = createStreamDecoder(byteLevel);
    expect(decoder.push(ids[0])).toBe('');
    expect(decoder.flush()).toBe('\uFFFD');
    expect(decoder.flush()).toBe('');
    expect(ids.map((id) => decoder.push(id)).join('')).toBe('砚');
  });

  it('keeps a real replacement character, once it is certain', () => {
    const parts = stream(byteLevel.encode('a\uFFFDb'));
    expect(parts.join('')).toBe('a\uFFFDb');
  });

  it('leaves special tokens out unless asked', () => {
    const ids = byteLevel.encode('a<|im_end|>b');
    const decoder = createStreamDecoder(byteLevel);
    expect(ids.map((id) => decoder.push(id)).join('')).toBe('ab');
    expect(stream(ids).join('')).toBe('a<|im_end|>b');
  });
});
