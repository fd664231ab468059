/**
 * Turns of a conversation, in the spellings that files have: OpenAI's role and content, ShareGPT's from and
 * value, LLaMA-Factory's pairs of question and answer. Only text can be learned from: a call of a tool, a picture
 * or a sound is complained of, never dropped.
 */
import { isDeeperThan } from '../../config/json-depth';
import { MAX_DEPTH } from './read-records';
import type { ChatMessage, ChatRole, RowProblemKind } from './types';

/**
 * A chat template is rendered anew for every answer, so the work grows with the square of this; conversations
 * of people have tens.
 */
export const MAX_TURNS = 2000;
/** Names of what is not read are for a person to look through. */
const MAX_UNREAD = 100;
const MAX_NAME_CHARS = 100;

/** What a reader of one row says besides the row. */
export interface RowReport {
  /** Always undefined: `return complain(...)` gives the row up. */
  readonly complain: (kind: RowProblemKind, field: string, value: unknown) => undefined;
  /** Fields inside a column that nothing reads, such as `messages[].name`. */
  readonly unread: Set<string>;
}

export type TurnKeys = readonly [role: string, content: string];
export const OPENAI_KEYS: TurnKeys = ['role', 'content'];
export const SHAREGPT_KEYS: TurnKeys = ['from', 'value'];

/** ShareGPT's speakers, and the usual spellings of chat roles. */
const ROLES = new Map<string, ChatRole>([
  ['system', 'system'],
  ['developer', 'system'],
  ['user', 'user'],
  ['human', 'user'],
  ['assistant', 'assistant'],
  ['gpt', 'assistant'],
  ['chatgpt', 'assistant'],
  ['bot', 'assistant'],
  ['model', 'assistant'],
  ['tool', 'tool'],
  ['function', 'tool'],
  ['observation', 'tool'],
]);
/** Turns that are a call and no text. */
const CALL_ROLES: ReadonlySet<string> = new Set(['function_call', 'tool_call', 'tool_calls']);
const CALL_KEYS = ['tool_calls', 'function_call'] as const;
/** OpenAI's 0 or 1. */
const WEIGHT_KEY = 'weight';
/** Axolotl's and ms-swift's; of another type they mean something else. */
const LOSS_FLAGS: readonly string[] = ['train', 'training', 'loss'];

/** `keys` are tried first, the other pair where a turn has no such speaker. */
export function readTurns(
  value: unknown,
  field: string,
  keys: TurnKeys,
  report: RowReport,
): ChatMessage[] | undefined {
  const turns = readList(value, field, MAX_TURNS, report);
  if (turns?.length === 0) return report.complain('empty-field', field, turns);
  const messages: ChatMessage[] = [];
  for (const [i, turn] of (turns ?? []).entries()) {
    const message = readTurn(turn, field, i, keys, report);
    if (!message) return undefined;
    messages.push(message);
  }
  return turns && messages;
}

/** `[[question, answer], ...]`, earlier turns of the same conversation; nothing where there are none. */
export function readHistory(
  value: unknown,
  field: string,
  report: RowReport,
): ChatMessage[] | undefined {
  if (value === undefined || value === null || value === '') return [];
  const pairs = readList(value, field, MAX_TURNS / 2, report);
  if (!pairs) return undefined;
  const messages: ChatMessage[] = [];
  for (const [i, pair] of pairs.entries()) {
    const path = `${field}[${i}]`;
    if (!Array.isArray(pair) || pair.length !== 2) return report.complain('not-a-pair', path, pair);
    const [question, answer] = pair as unknown[];
    if (typeof question !== 'string') return report.complain('wrong-type', `${path}[0]`, question);
    if (typeof answer !== 'string') return report.complain('wrong-type', `${path}[1]`, answer);
    if (answer.trim() === '') return report.complain('empty-output', `${path}[1]`, answer);
    messages.push({ role: 'user', content: question }, { role: 'assistant', content: answer });
  }
  return messages;
}

function readTurn(
  turn: unknown,
  field: string,
  index: number,
  keys: TurnKeys,
  report: RowReport,
): ChatMessage | undefined {
  const { complain } = report;
  const path = `${field}[${index}]`;
  if (typeof turn !== 'object' || turn === null || Array.isArray(turn)) {
    return complain('wrong-type', path, turn);
  }
  const fields = turn as Record<string, unknown>;
  const [roleKey, contentKey] =
    [keys, OPENAI_KEYS, SHAREGPT_KEYS].find(([key]) => isThere(fields[key])) ?? keys;
  const speaker = fields[roleKey];
  const spoken = typeof speaker === 'string' ? speaker.toLowerCase() : '';
  if (CALL_ROLES.has(spoken)) return complain('tool-call', `${path}.${roleKey}`, speaker);
  const role = ROLES.get(spoken);
  if (!role) return complain('unknown-role', `${path}.${roleKey}`, speaker);
  for (const key of CALL_KEYS) {
    const call = fields[key];
    const isCall = Array.isArray(call) ? call.length > 0 : isThere(call);
    if (isCall) return complain('tool-call', `${path}.${key}`, call);
  }
  const where = `${path}.${contentKey}`;
  const content = readContent(fields[contentKey], where, report);
  if (content === undefined) return undefined;
  if (role === 'assistant' && content.trim() === '')
    return complain('empty-output', where, fields[contentKey]);
  const weight = fields[WEIGHT_KEY];
  if (role === 'assistant' && isThere(weight) && weight !== 0 && weight !== 1)
    return complain('wrong-weight', `${path}.${WEIGHT_KEY}`, weight);
  let isMasked = false;
  for (const [key, value] of Object.entries(fields)) {
    const isRead =
      key === roleKey || key === contentKey || key === CALL_KEYS[0] || key === CALL_KEYS[1];
    if (isRead || !isThere(value)) continue;
    const says = saysLoss(key, value);
    isMasked ||= says === false;
    // Only answers bear loss, so that who asks for some on another turn is told that nobody heard it.
    if (says === false || (says && role === 'assistant')) continue;
    if (report.unread.size < MAX_UNREAD)
      report.unread.add(`${field}[].${key.slice(0, MAX_NAME_CHARS)}`);
  }
  return role === 'assistant' && isMasked ? { role, content, noLoss: 'weight' } : { role, content };
}

/** What a field of a turn says about learning from it; undefined where it says nothing. */
function saysLoss(key: string, value: unknown): boolean | undefined {
  if (key === WEIGHT_KEY && (value === 0 || value === 1)) return value === 1;
  return LOSS_FLAGS.includes(key) && typeof value === 'boolean' ? value : undefined;
}

/** Text, or a list of parts of text, which chat templates write one after another. */
function readContent(content: unknown, where: string, { complain }: RowReport): string | undefined {
  if (!isThere(content)) return complain('missing-field', where, content);
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return complain('wrong-type', where, content);
  const texts: string[] = [];
  for (const [i, part] of (content as unknown[]).entries()) {
    const path = `${where}[${i}]`;
    if (typeof part === 'string') {
      texts.push(part);
      continue;
    }
    if (typeof part !== 'object' || part === null) return complain('wrong-type', path, part);
    const { type = 'text', text } = part as Record<string, unknown>;
    if (type !== 'text') return complain('not-text', path, type);
    if (typeof text !== 'string') return complain('wrong-type', `${path}.text`, text);
    texts.push(text);
  }
  return texts.join('');
}

/** A list, or the JSON of one, as the cell of a table has it. */
function readList(
  value: unknown,
  field: string,
  most: number,
  { complain }: RowReport,
): readonly unknown[] | undefined {
  if (!isThere(value)) return complain('missing-field', field, value);
  const list = typeof value === 'string' ? parseList(value) : value;
  if (!Array.isArray(list)) return complain('wrong-type', field, value);
  if (list.length > most) return complain('too-many-turns', field, `${list.length} of ${most}`);
  return list as unknown[];
}

function parseList(text: string): unknown {
  if (!text.trimStart().startsWith('[') || isDeeperThan(text, MAX_DEPTH)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isThere = (value: unknown): boolean => value !== undefined && value !== null;
