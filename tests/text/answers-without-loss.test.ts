/**
 * Plan: answers of weight 0 and answers within a prompt, label by label, in a chat template, in the project's own and
 * in templates that write a turn differently as the conversation grows; where prompts are learned too; at a row's
 * end; in the preview. Control: the same conversation without either is learned answer by answer.
 */
import { describe, expect, it } from 'vitest';
import type { DatasetRow } from '$lib/formats';
import {
  encodePrompt,
  encodeRow,
  IGNORED_LABEL,
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
const chat = (...messages: [ChatMessage['role'], string][]): DatasetRow => ({
  kind: 'chat',
  messages: messages.map(([role, content]) => ({ role, content })),
});
const encode = (
  value: DatasetRow,
  tokenizer = byteLevel,
  options: Partial<EncodeRowOptions> = {},
) => encodeRow(value, tokenizer, { ...usual, ...options });

describe('answers that are not learned from', () => {
  /** A conversation of three answers, and why each of them bears no loss where it bears none. */
  const three = (...reasons: ChatMessage['noLoss'][]): DatasetRow => ({
    kind: 'chat',
    messages: ['b', 'd', 'f'].flatMap((content, i) => [
      { role: 'user' as const, content: 'ace'[i] },
      { role: 'assistant' as const, content, ...(reasons[i] && { noLoss: reasons[i] }) },
    ]),
  });
  const bracket = withTemplate(byteLevel, templates.bracket);
  const everywhere = { trainOnPrompt: true };

  it.each([
    ['chat', byteLevel],
    ['instruction', plain],
    ['bracket', bracket],
    ['a metaspace tokenizer', metaspace],
  ])('of weight 0 have no label but -100, and nothing else changes (%s)', (_, tokenizer) => {
    const eos = tokenizer.specialTokens.eos_token!;
    const all = encode(three(), tokenizer);
    expect(targets(all, tokenizer)).toBe(`b${eos}|d${eos}|f${eos}`);
    const found = encode(three(undefined, 'weight'), tokenizer);
    expect(found.text).toBe(all.text);
    expect([...found.inputIds]).toEqual([...all.inputIds]);
    expect(targets(found, tokenizer)).toBe(`b${eos}|f${eos}`);
    // Label by label: those of the second answer and its eos are masked, the others as they were.
    const spans = [...all.labels.entries()].filter(([, label]) => label !== IGNORED_LABEL);
    const length = spans.length / 3;
    const masked = spans.slice(length, 2 * length).map(([i]) => i);
    expect([...found.labels]).toEqual(
      [...all.labels].map((label, i) => (masked.includes(i) ? IGNORED_LABEL : label)),
    );
  });

  it('of a prompt have none either: the labels begin where inference is asked', () => {
    for (const tokenizer of [byteLevel, plain, bracket]) {
      const row = three('prompt', 'prompt');
      if (row.kind !== 'chat') throw new Error('no chat');
      const prompt = encodePrompt(row.messages.slice(0, -1), tokenizer);
      const { inputIds, labels, promptLength } = encode(row, tokenizer);
      expect([...inputIds.subarray(0, prompt.length)]).toEqual(prompt);
      expect(promptLength).toBe(prompt.length);
      const answer = tokenizer.encode(`f${tokenizer.specialTokens.eos_token}`, {
        addSpecialTokens: false,
      });
      const behind = inputIds.length - prompt.length - answer.length;
      expect([...labels]).toEqual([
        ...prompt.map(() => IGNORED_LABEL),
        ...answer,
        ...Array.from({ length: behind }, () => IGNORED_LABEL),
      ]);
      // The control: as turns of a conversation all three are learned.
      expect(targets(encode(three(), tokenizer), tokenizer)).toMatch(/^b.*d.*f/);
    }
  });

  it('of weight 0 keep none where prompts are learned too; those of a prompt are as the prompt', () => {
    for (const tokenizer of [byteLevel, plain]) {
      const row = three('prompt', 'weight');
      const { inputIds, labels } = encode(row, tokenizer, everywhere);
      const masked = [...inputIds].filter((_, i) => labels[i] === IGNORED_LABEL);
      expect(tokenizer.decode(masked)).toBe('d<|im_end|>');
      expect(encode(three('prompt'), tokenizer, everywhere).labels).toEqual(inputIds);
    }
  });

  it('end no row: what follows the last answer that is learned from is dropped', () => {
    for (const tokenizer of [byteLevel, plain]) {
      const short = chat(['user', 'a'], ['assistant', 'b']);
      expect(encode(three(undefined, 'weight', 'weight'), tokenizer)).toEqual(
        encode(short, tokenizer),
      );
      expectTextError(
        () => encode(three('weight', 'weight', 'weight'), tokenizer),
        'bad-row',
        /answers of weight 0 alone/,
      );
    }
  });

  it('are found where the template writes the last turn, or the start, differently', () => {
    const thinking = withTemplate(byteLevel, templates.thinking);
    const found = encode(three(undefined, 'weight'), thinking);
    expect(targets(found, thinking)).toBe('b<|im_end|>|<think>\n\n</think>\n\nf<|im_end|>');
    const counting = withTemplate(byteLevel, `{{ messages | length }}${templates.chatml}`);
    const last = encode(three('prompt', 'weight'), counting);
    expect(targets(last, counting)).toBe('f<|im_end|>');
    // No answer that is to be learned was left out.
    expect(last.lastTurnOnly).toBe(false);
    expect(encode(three(undefined, 'weight'), counting).lastTurnOnly).toBe(true);
    const { inputIds, labels } = encode(three('prompt', 'weight'), counting, everywhere);
    const masked = [...inputIds].filter((_, i) => labels[i] === IGNORED_LABEL);
    expect(counting.decode(masked)).toBe('d<|im_end|>');
  });

  it('are shown as such', () => {
    const tokens = previewRow(three('weight', 'prompt'), byteLevel, usual);
    const learned = tokens.filter(({ hasLoss }) => hasLoss);
    expect(learned.map(({ text }) => text).join('')).toBe('f<|im_end|>');
    expect(tokens.map(({ text }) => text).join('')).toContain('assistant\nb<|im_end|>');
  });
});
