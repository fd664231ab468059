/**
 * A row to the text that a model is trained on, in pieces: with loss or without. Knows templates, not
 * tokens. Pieces joined are the text; a border between pieces is where the person's turn ends.
 */
import { renderChat, type ChatMessage } from './chat-template';
import { detectLanguage } from './detect-language';
import { TextError } from './errors';
import { formatInstruction } from './instruction-template';
import { bearsLoss, type DatasetRow } from '../config';
import type { RowTemplate } from './row-template';
import type { Tokenizer } from './tokenizer';

export interface Piece {
  readonly text: string;
  readonly hasLoss: boolean;
  /** An answer that is never learned from, not even where prompts are. */
  readonly isMasked?: boolean;
}

export interface RenderedRow {
  readonly pieces: readonly Piece[];
  /** False where the template writes bos itself, so that the tokenizer must not add another. */
  readonly addSpecialTokens: boolean;
  /** The template renders a conversation's start differently as it grows: only the last turn counts. */
  readonly isLastTurnOnly: boolean;
}

/** Llama 3 templates print the date. Training must repeat bit for bit, so it is always this one. */
const TRAINING_DATE = new Date(2024, 6, 26);

export function renderRow(
  row: Exclude<DatasetRow, { kind: 'tokens' }>,
  tokenizer: Tokenizer,
  template: RowTemplate,
): RenderedRow {
  const eos = tokenizer.specialTokens.eos_token ?? '';
  if (row.kind === 'text') return plain(answer(row.text, eos));
  const isChat =
    template === 'chat' || (template === 'auto' && tokenizer.chatTemplate !== undefined);
  if (isChat) return renderConversation(toMessages(row), tokenizer, eos);
  if (row.kind === 'completion') {
    return plain([{ text: row.prompt, hasLoss: false }, ...answer(row.completion, eos)]);
  }
  if (row.kind === 'chat') return plain(renderTurns(toMessages(row), eos));
  const language = detectLanguage(row.instruction + row.input);
  const { prompt, completion } = formatInstruction({ ...row }, language);
  return plain([{ text: prompt, hasLoss: false }, ...answer(completion, eos)]);
}

/** A row as a conversation that ends with an answer to learn from; turns after the last of those are dropped. */
export function toMessages(row: Exclude<DatasetRow, { kind: 'tokens' | 'text' }>): ChatMessage[] {
  if (row.kind === 'chat') {
    const last = row.messages.findLastIndex(bearsLoss);
    if (last === -1) {
      const found = row.messages.some(({ role }) => role === 'assistant')
        ? 'answers of weight 0 alone'
        : 'no assistant turn';
      throw new TextError('bad-row', `the conversation has ${found}; there is no target.`);
    }
    return row.messages.slice(0, last + 1);
  }
  const [user, assistant] =
    row.kind === 'completion'
      ? [row.prompt, row.completion]
      : [row.input === '' ? row.instruction : `${row.instruction}\n${row.input}`, row.output];
  return [
    { role: 'user', content: user },
    { role: 'assistant', content: assistant },
  ];
}

/** An answer and the eos that closes it; one that brings its own eos gets no second. */
const answer = (text: string, eos: string, how: Omit<Piece, 'text'> = LEARNED): Piece[] => [
  { text, ...how },
  { text: text.endsWith(eos) ? '' : eos, ...how },
];

const LEARNED = { hasLoss: true };
const lossOf = (turn: ChatMessage): Omit<Piece, 'text'> => ({
  hasLoss: bearsLoss(turn),
  isMasked: turn.noLoss === 'weight',
});

const plain = (pieces: readonly Piece[]): RenderedRow => ({
  pieces,
  addSpecialTokens: true,
  isLastTurnOnly: false,
});

/** A conversation in the instruction template: each question is an instruction, eos after each answer. */
export function renderTurns(messages: readonly ChatMessage[], eos: string): Piece[] {
  const pieces: Piece[] = [];
  let asked: string[] = [];
  for (const turn of messages) {
    const { role, content } = turn;
    if (role !== 'assistant') {
      asked.push(content);
      continue;
    }
    const instruction = asked.join('\n\n');
    const { prompt } = formatInstruction({ instruction }, detectLanguage(instruction));
    const gap = pieces.length === 0 ? '' : '\n\n';
    pieces.push({ text: gap + prompt, hasLoss: false }, ...answer(content, eos, lossOf(turn)));
    asked = [];
  }
  return pieces;
}

function renderConversation(
  messages: readonly ChatMessage[],
  tokenizer: Tokenizer,
  eos: string,
): RenderedRow {
  const render: Render = (part, addGenerationPrompt) =>
    renderChat(tokenizer, part, { addGenerationPrompt, date: TRAINING_DATE });
  const full = render(messages, false);
  const spans: Span[] = [];
  let isLastTurnOnly = false;
  messages.forEach((turn, i) => {
    // An answer within what is asked is as the rest of it.
    if (turn.role !== 'assistant' || turn.noLoss === 'prompt') return;
    const isLast = i === messages.length - 1;
    const loss = lossOf(turn);
    const prompt = render(messages.slice(0, i), true);
    let begin: number | undefined = prompt.length;
    if (!full.startsWith(prompt)) {
      // A turn that is not learned from is looked for all the same: nothing else keeps loss off it.
      begin = isLast || loss.isMasked ? findMarked(full, messages, i, render) : undefined;
      isLastTurnOnly ||= !isLast && loss.hasLoss;
    }
    if (begin === undefined && (isLast || loss.isMasked)) throw unplaced();
    if (begin === undefined) return;
    const upTo = isLast ? full : render(messages.slice(0, i + 1), false);
    spans.push({ begin, end: findEnd(full, begin, upTo, turn.content, eos), ...loss });
  });
  const kept = spans.filter(
    ({ hasLoss }, i) => !hasLoss || !isLastTurnOnly || i === spans.length - 1,
  );
  const pieces = cutPieces(full, kept);
  if (!full.trimEnd().endsWith(eos)) pieces.push({ text: eos, hasLoss: true });
  return { pieces, addSpecialTokens: false, isLastTurnOnly };
}

interface Span extends Omit<Piece, 'text'> {
  readonly begin: number;
  readonly end: number;
}

/** Where an answer starts in `full`: where the template puts a mark in its place. */
function findMarked(full: string, messages: readonly ChatMessage[], i: number, render: Render) {
  const mark = { role: 'assistant', content: MARK } as const;
  const marked = render([...messages.slice(0, i), mark, ...messages.slice(i + 1)], false);
  const at = marked.indexOf(MARK);
  return at !== -1 && full.startsWith(marked.slice(0, at)) ? at : undefined;
}

/** Private-use characters: no answer has them, no template looks for them. */
const MARK = '\uE000answer\uE001';
type Render = (messages: readonly ChatMessage[], addGenerationPrompt: boolean) => string;

/** Where an answer ends: after its closing eos where there is one, never in the white space behind. */
function findEnd(full: string, begin: number, upTo: string, content: string, eos: string): number {
  let end = upTo.length;
  if (!full.startsWith(upTo)) {
    // Rendered differently as the last turn (Qwen 3 adds a thinking block there): find the text.
    const trimmed = content.trim();
    const at = full.indexOf(trimmed, begin);
    end = at === -1 ? begin : at + trimmed.length;
    if (eos !== '' && full.startsWith(eos, end)) end += eos.length;
  }
  const closing = eos === '' ? -1 : full.lastIndexOf(eos, end - eos.length);
  const afterEos = closing + eos.length;
  if (closing >= begin && full.slice(afterEos, end).trim() === '') return afterEos;
  return end;
}

function cutPieces(full: string, spans: readonly Span[]): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const { begin, end, ...loss } of spans) {
    pieces.push({ text: full.slice(at, begin), hasLoss: false });
    pieces.push({ text: full.slice(begin, end), ...loss });
    at = end;
  }
  pieces.push({ text: full.slice(at), hasLoss: false });
  return pieces.filter(({ text }) => text !== '');
}

const unplaced = () =>
  new TextError(
    'chat-template',
    "the model's chat template changes or hides the answer, so no loss can be placed on it; choose the instruction template.",
  );
