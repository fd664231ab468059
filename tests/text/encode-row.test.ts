import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DatasetRow } from '$lib/formats';
import {
  cutsAnswer,
  encodePrompt,
  encodeRow,
  IGNORED_LABEL,
  measureRow,
  previewRow,
  type ChatMessage,
  type EncodeRowOptions,
} from '$lib/text';
import {
  byteLevel,
  expectTextError,
  metaspace,
  readFixture,
  targets,
  withTemplate,
} from './fixtures';

const templates = (readFixture('chats.json') as { templates: Record<string, string> }).templates;
const usual: EncodeRowOptions = { template: 'auto', maxLength: 4096, trainOnPrompt: false };
const plain = withTemplate(byteLevel, undefined);

const row: DatasetRow = {
  kind: 'instruction',
  instruction: '翻译',
  input: '你好',
  output: 'Hello',
};
const chat = (...messages: [ChatMessage['role'], string][]): DatasetRow => ({
  kind: 'chat',
  messages: messages.map(([role, content]) => ({ role, content })),
});

const encode = (
  value: DatasetRow,
  tokenizer = byteLevel,
  options: Partial<EncodeRowOptions> = {},
) => encodeRow(value, tokenizer, { ...usual, ...options });

describe('rows in the instruction template', () => {
  it('Chinese: the loss is on the answer and eos', () => {
    const encoded = encode(row, plain);
    expect(encoded.text).toBe('### 指令:\n翻译\n\n### 输入:\n你好\n\n### 输出:\nHello<|im_end|>');
    expect(targets(encoded, plain)).toBe('Hello<|im_end|>');
    expect(plain.decode(encoded.inputIds)).toBe(encoded.text);
    expect(encoded).toMatchObject({ truncated: false, answerCut: false, lastTurnOnly: false });
    expect(plain.decode(encoded.inputIds.subarray(0, encoded.promptLength))).toBe(
      '### 指令:\n翻译\n\n### 输入:\n你好\n\n### 输出:\n',
    );
  });

  it('English, without the input block where there is no input', () => {
    const english: DatasetRow = {
      kind: 'instruction',
      instruction: 'Add.',
      input: '',
      output: '3',
    };
    expect(encode(english, plain).text).toBe(
      '### Instruction:\nAdd.\n\n### Response:\n3<|im_end|>',
    );
  });

  it('is chosen by `auto` only where the model has no chat template, and by name always', () => {
    expect(encode(row).text).toContain('<|im_start|>user\n翻译\n你好<|im_end|>');
    expect(encode(row, byteLevel, { template: 'instruction' }).text).toContain('### 指令:');
    expectTextError(
      () => encode(row, plain, { template: 'chat' }),
      'no-chat-template',
      /no chat template/,
    );
  });

  it('puts bos first where the tokenizer does, without loss', () => {
    const encoded = encode(row, metaspace);
    expect(encoded.inputIds[0]).toBe(metaspace.bosId);
    expect(encoded.labels[0]).toBe(IGNORED_LABEL);
    expect(encoded.inputIds.at(-1)).toBe(metaspace.eosId);
    expect(targets(encoded, metaspace)).toBe('Hello</s>');
  });

  it('makes the ids that the whole text has, where no token reaches over the border', () => {
    const encoded = encode(row, metaspace);
    expect([...encoded.inputIds]).toEqual(metaspace.encode(encoded.text));
    const encoded2 = encode(row, plain);
    expect([...encoded2.inputIds]).toEqual(plain.encode(encoded2.text));
  });

  it('parts the prompt from the answer where a token would reach over the border', () => {
    const spaced: DatasetRow = { kind: 'completion', prompt: 'the quick brown', completion: 'ing' };
    const encoded = encode(spaced, plain);
    const prompt = plain.encode('the quick brown');
    expect([...encoded.inputIds.subarray(0, prompt.length)]).toEqual(prompt);
    expect(encoded.promptLength).toBe(prompt.length);
    expect(targets(encoded, plain)).toBe('ing<|im_end|>');
  });

  it('does not close an answer twice', () => {
    const closed: DatasetRow = { ...row, output: 'Hello<|im_end|>' };
    expect([...encode(closed, plain).inputIds]).toEqual([...encode(row, plain).inputIds]);
  });

  it('joins prompt and completion as they are', () => {
    const completion: DatasetRow = { kind: 'completion', prompt: '1 + 1 =', completion: ' 2' };
    const encoded = encode(completion, plain);
    expect(encoded.text).toBe('1 + 1 = 2<|im_end|>');
    expect(targets(encoded, plain)).toBe(' 2<|im_end|>');
  });

  it('writes conversations turn by turn, eos after each answer', () => {
    const encoded = encode(
      chat(
        ['system', '助手'],
        ['user', '你'],
        ['assistant', '好'],
        ['user', 'a'],
        ['assistant', 'b'],
      ),
      plain,
    );
    expect(encoded.text).toBe(
      '### 指令:\n助手\n\n你\n\n### 输出:\n好<|im_end|>\n\n### Instruction:\na\n\n### Response:\nb<|im_end|>',
    );
    expect(targets(encoded, plain)).toBe('好<|im_end|>|b<|im_end|>');
  });
});

describe('rows in a chat template', () => {
  it('the loss is on the answer and its closing token, not on the line break behind', () => {
    const encoded = encode(row);
    expect(encoded.text).toBe(
      '<|im_start|>user\n翻译\n你好<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n',
    );
    expect(targets(encoded, byteLevel)).toBe('Hello<|im_end|>');
    expect(byteLevel.decode(encoded.inputIds)).toBe(encoded.text);
  });

  it('on every answer of a conversation', () => {
    const encoded = encode(
      chat(['system', 's'], ['user', 'a'], ['assistant', 'b'], ['user', 'c'], ['assistant', 'd']),
    );
    expect(targets(encoded, byteLevel)).toBe('b<|im_end|>|d<|im_end|>');
    expect(encoded.lastTurnOnly).toBe(false);
  });

  it('turns after the last answer are dropped; without an answer there is no row', () => {
    expect(encode(chat(['user', 'a'], ['assistant', 'b'], ['user', 'c'])).text).not.toContain('c');
    expectTextError(() => encode(chat(['user', 'a'])), 'bad-row', /no assistant turn/);
  });

  const twoTurns = chat(['user', 'a'], ['assistant', 'b'], ['user', 'c'], ['assistant', 'd']);

  it('appends eos where the template does not end with it', () => {
    const encoded = encode(twoTurns, withTemplate(byteLevel, templates.turns));
    expect(encoded.text.endsWith('<end_of_turn>\n<|im_end|>')).toBe(true);
    expect(targets(encoded, byteLevel)).toBe('b<end_of_turn>\n|d<end_of_turn>\n<|im_end|>');
    const bracket = encode(twoTurns, withTemplate(byteLevel, templates.bracket));
    expect(targets(bracket, byteLevel)).toBe('b<|im_end|>|d<|im_end|>');
  });

  it('finds the answers of a template that writes the last turn differently', () => {
    const encoded = encode(twoTurns, withTemplate(byteLevel, templates.thinking));
    expect(targets(encoded, byteLevel)).toBe('b<|im_end|>|<think>\n\n</think>\n\nd<|im_end|>');
    expect(encoded.lastTurnOnly).toBe(false);
  });

  it('takes the last answer alone where the start changes as the conversation grows, and says so', () => {
    const counting = `{{ messages | length }}${templates.chatml}`;
    const encoded = encode(twoTurns, withTemplate(byteLevel, counting));
    expect(encoded.lastTurnOnly).toBe(true);
    expect(targets(encoded, byteLevel)).toBe('d<|im_end|>');
  });

  it('refuses a template that hides the answer', () => {
    const hiding = '{{ messages | length }}{{ messages[0].content }}';
    expectTextError(
      () => encode(row, withTemplate(byteLevel, hiding)),
      'chat-template',
      /changes or hides the answer/,
    );
  });

  it("hands on the template's own refusal", () => {
    expectTextError(
      () =>
        encode(
          chat(['system', 's'], ['user', 'a'], ['assistant', 'b']),
          withTemplate(byteLevel, templates.turns),
        ),
      'chat-template',
      /System role not supported/,
    );
  });

  it('renders the same text on every day', () => {
    const { text } = encode(row, withTemplate(byteLevel, templates.headers));
    expect(text).toContain('Today Date: 26 Jul 2024');
  });
});

describe('text and token rows', () => {
  it('text: the loss is on all tokens and on eos', () => {
    const encoded = encode({ kind: 'text', text: '春眠不觉晓' });
    expect(targets(encoded, byteLevel)).toBe('春眠不觉晓<|im_end|>');
    expect(encoded.promptLength).toBe(0);
  });

  it('tokens pass through, with their labels', () => {
    const encoded = encode({ kind: 'tokens', inputIds: [5, 6, 7], labels: [-100, 6, -100] });
    expect([...encoded.inputIds]).toEqual([5, 6, 7]);
    expect([...encoded.labels]).toEqual([-100, 6, -100]);
    expect(encoded).toMatchObject({
      promptLength: 1,
      text: '',
      truncated: false,
      answerCut: false,
    });
  });

  it('tokens outside the vocabulary or of unequal length are refused by place', () => {
    const of = (inputIds: number[], labels: number[]) => () =>
      encode({ kind: 'tokens', inputIds, labels });
    expect(of([419], [419])().inputIds).toHaveLength(1);
    expectTextError(of([0, 420], [0, 0]), 'bad-token-id', /input_ids\[1\] is 420; .* 0 to 419/);
    expectTextError(of([0, 1], [0, -1]), 'bad-token-id', /labels\[1\] is -1/);
    expectTextError(of([0, 1], [0]), 'bad-row', /2 input_ids and 1 labels/);
  });
});

describe('options', () => {
  it('trainOnPrompt puts loss on every token', () => {
    for (const tokenizer of [byteLevel, plain, metaspace]) {
      const { inputIds, labels, promptLength } = encode(row, tokenizer, { trainOnPrompt: true });
      expect(labels).toEqual(inputIds);
      expect(promptLength).toBe(0);
    }
  });

  it('maxLength cuts the end, and says what was lost', () => {
    const { inputIds, promptLength } = encode(row);
    const length = inputIds.length;
    const cut = (maxLength: number) => encode(row, byteLevel, { maxLength });
    expect(cut(length)).toMatchObject({ truncated: false, answerCut: false });
    // The line break behind eos carries no loss.
    expect(cut(length - 1)).toMatchObject({ truncated: true, answerCut: false });
    expect(cut(length - 2)).toMatchObject({ truncated: true, answerCut: true });
    expect(cut(promptLength)).toMatchObject({ truncated: true, answerCut: true, promptLength });
    expect(cut(promptLength).labels.every((label) => label === IGNORED_LABEL)).toBe(true);
    expect(cut(5).inputIds).toHaveLength(5);
  });

  it('one measuring tells what any length cuts', () => {
    const rows: DatasetRow[] = [
      row,
      { kind: 'text', text: 'some text' },
      { kind: 'tokens', inputIds: [1, 2, 3], labels: [1, -100, -100] },
      { kind: 'tokens', inputIds: [1, 2, 3], labels: [-100, 2, -100] },
    ];
    for (const one of rows)
      for (const trainOnPrompt of [false, true]) {
        const measure = measureRow(one, byteLevel, { template: 'auto', trainOnPrompt });
        expect(measure.tokens).toBe(encode(one, byteLevel, { trainOnPrompt }).inputIds.length);
        for (let maxLength = 2; maxLength < measure.tokens + 3; maxLength++)
          expect(cutsAnswer(measure, maxLength)).toBe(
            encode(one, byteLevel, { trainOnPrompt, maxLength }).answerCut,
          );
      }
  });

  it('a target on the first token alone teaches nothing', () => {
    const of = (labels: number[]) => encode({ kind: 'tokens', inputIds: [1, 2], labels });
    expect(of([1, 2]).answerCut).toBe(false);
    expect(of([1, -100]).answerCut).toBe(true);
    expect(of([-100, -100]).answerCut).toBe(true);
  });

  it('maxLength below two is refused', () => {
    expect(encode(row, byteLevel, { maxLength: 2 }).inputIds).toHaveLength(2);
    for (const maxLength of [1, 0, -1, 2.5, NaN]) {
      expectTextError(() => encode(row, byteLevel, { maxLength }), 'bad-row', /maxLength is/);
    }
  });
});

describe('the prompt that inference sends', () => {
  const turns: ChatMessage[] = [
    { role: 'user', content: '你好' },
    { role: 'assistant', content: '好' },
    { role: 'user', content: 'and?' },
  ];
  const answered = (content: string): DatasetRow => ({
    kind: 'chat',
    messages: [...turns, { role: 'assistant', content }],
  });

  it.each([
    ['byte-level, chat', byteLevel],
    ['byte-level, instruction', plain],
    ['metaspace, instruction', metaspace],
    ['metaspace, chat', withTemplate(metaspace, templates.bracket)],
  ])('is what training put before the last answer (%s)', (_, tokenizer) => {
    const prompt = encodePrompt(turns, tokenizer);
    const { inputIds, labels } = encode(answered('yes'), tokenizer);
    expect([...inputIds.subarray(0, prompt.length)]).toEqual(prompt);
    expect(labels[prompt.length]).not.toBe(IGNORED_LABEL);
    expect(labels[prompt.length - 1]).toBe(IGNORED_LABEL);
  });

  it('needs a question at the end', () => {
    expect(encodePrompt(turns.slice(0, 1), byteLevel).length).toBeGreaterThan(0);
    expectTextError(() => encodePrompt([], byteLevel), 'bad-row', /is empty/);
    expectTextError(
      () => encodePrompt(turns.slice(0, 2), byteLevel),
      'bad-row',
      /ends with an answer/,
    );
  });
});

describe('preview', () => {
  it('shows every token once, its text whole, and where the loss is', () => {
    const emoji: DatasetRow = { ...row, output: '砚😀' };
    const tokens = previewRow(emoji, byteLevel, usual);
    const { inputIds, text } = encode(emoji);
    expect(tokens.map(({ id }) => id)).toEqual([...inputIds]);
    expect(tokens.map((token) => token.text).join('')).toBe(text);
    const lossy = tokens.filter(({ hasLoss }) => hasLoss);
    expect(lossy.map((token) => token.text).join('')).toBe('砚😀<|im_end|>');
    expect(tokens.every((token) => token.text.isWellFormed())).toBe(true);
  });
});

describe('any row', () => {
  it('keeps ids and labels equally long, labels ids or -100, and the text whole', () => {
    const text = fc.string({ unit: 'grapheme' });
    const anyRow: fc.Arbitrary<DatasetRow> = fc.oneof(
      fc.record({
        kind: fc.constant('instruction' as const),
        instruction: text,
        input: text,
        output: text,
      }),
      fc.record({ kind: fc.constant('completion' as const), prompt: text, completion: text }),
      fc.record({ kind: fc.constant('text' as const), text }),
      fc
        .tuple(text, text, text, text)
        .map(([a, b, c, d]) => chat(['user', a], ['assistant', b], ['user', c], ['assistant', d])),
    );
    const kinds = [byteLevel, plain, withTemplate(byteLevel, templates.headers)];
    fc.assert(
      fc.property(
        anyRow,
        fc.constantFrom(...kinds),
        fc.integer({ min: 2, max: 200 }),
        (value, tokenizer, maxLength) => {
          const encoded = encode(value, tokenizer, { maxLength });
          expect(encoded.inputIds.length).toBe(encoded.labels.length);
          expect(encoded.inputIds.length).toBeLessThanOrEqual(maxLength);
          encoded.labels.forEach((label, i) => {
            if (label !== IGNORED_LABEL) expect(label).toBe(encoded.inputIds[i]);
          });
          const whole = encode(value, tokenizer);
          expect(tokenizer.decode(whole.inputIds)).toBe(whole.text);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('takes the rows that `formats` reads: the two declarations are one shape', () => {
    const fromFormats = (value: DatasetRow): DatasetRow => value;
    const fromText = (value: DatasetRow): DatasetRow => value;
    expect(fromText(fromFormats({ kind: 'text', text: 'a' }))).toEqual({ kind: 'text', text: 'a' });
  });
});
