/**
 * Renders a conversation with a model's own Jinja template, as transformers' `apply_chat_template`
 * does. A template is foreign code: its errors keep its words, its loops have a budget.
 */
import { Environment, parse, tokenize } from '@huggingface/jinja';
import { BoundedInterpreter } from './bounded-interpreter';
import type { ChatMessage } from '../config';
import type { SpecialTokens } from './check-tokenizer-files';
import { TextError } from './errors';

export type { ChatMessage };

export interface ChatTemplateSource {
  readonly chatTemplate: string | undefined;
  readonly specialTokens?: SpecialTokens;
}

export interface RenderChatOptions {
  /** Ends with the opening of the assistant's turn. Default false. */
  readonly addGenerationPrompt?: boolean;
  /** What `strftime_now` answers from. Default: now. Training fixes it, so that runs repeat. */
  readonly date?: Date;
  /** Further variables of the template, such as `enable_thinking` or `tools`. */
  readonly variables?: Readonly<Record<string, unknown>>;
  /** Default 5000: templates take some milliseconds, thousands of turns some hundreds. */
  readonly maxMs?: number;
}

/** The longest published templates have some 20,000 characters. */
const MAX_TEMPLATE_CHARS = 500_000;
/** Templates use `range` for a handful of turns; more is an endless loop. */
const MAX_RANGE_ITEMS = 100_000;
const MAX_MS = 5000;
/** The library's time for a run of white space grows with its square; published ones are indentation. */
const MAX_BLANKS = 1000;

/** Throws TextError `chat-template` with the template's own message, such as an unknown role. */
export function renderChat(
  source: ChatTemplateSource | string,
  messages: readonly ChatMessage[],
  options: RenderChatOptions = {},
): string {
  const { chatTemplate, specialTokens = {} } =
    typeof source === 'string' ? { chatTemplate: source } : source;
  if (chatTemplate === undefined) {
    throw new TextError(
      'no-chat-template',
      'this model has no chat template; use the instruction template or a model made for chat.',
    );
  }
  const program = compile(chatTemplate);
  const variables: Record<string, unknown> = {
    ...CONSTANTS,
    ...specialTokens,
    raise_exception: (message: string) => {
      throw new Error(message);
    },
    range: boundedRange(),
    strftime_now: (format: string) => formatDate(options.date ?? new Date(), format),
    messages: messages.map(({ role, content }) => ({ role, content })),
    add_generation_prompt: options.addGenerationPrompt ?? false,
    ...options.variables,
  };
  try {
    // Not the library's `Template.render`: it does not let `range` and the date be replaced.
    const environment = new Environment();
    for (const [name, value] of Object.entries(variables)) environment.set(name, value);
    const interpreter = new BoundedInterpreter(environment, options.maxMs ?? MAX_MS);
    const result: unknown = interpreter.run(program).value;
    return String(result);
  } catch (cause) {
    throw refused(cause);
  }
}

/** Jinja's own, in both spellings. */
const CONSTANTS = { true: true, false: false, none: null, True: true, False: false, None: null };

type Program = ReturnType<typeof parse>;
const compiled = new Map<string, Program>();

function compile(source: string): Program {
  const known = compiled.get(source);
  if (known) return known;
  if (source.length > MAX_TEMPLATE_CHARS) {
    throw new TextError(
      'too-large',
      `the chat template has ${source.length} characters; at most ${MAX_TEMPLATE_CHARS} are allowed.`,
    );
  }
  if (source.split(/\S+/).some((gap) => gap.length > MAX_BLANKS)) {
    throw new TextError(
      'too-large',
      `the chat template has more than ${MAX_BLANKS} blanks in a row; get the model's files again.`,
    );
  }
  try {
    // As transformers sets Jinja up.
    const program = parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
    if (compiled.size >= 8) compiled.clear();
    compiled.set(source, program);
    return program;
  } catch (cause) {
    throw refused(cause);
  }
}

function refused(cause: unknown): TextError {
  const words = cause instanceof Error ? cause.message.slice(0, 300) : String(cause);
  return new TextError('chat-template', `the model's chat template says: ${words}`, { cause });
}

/** Python's `range`, with a budget for one rendering. */
function boundedRange(): (start: number, stop?: number, step?: number) => number[] {
  let left = MAX_RANGE_ITEMS;
  return (start, stop, step = 1) => {
    const [from, to] = stop === undefined || stop === null ? [0, start] : [start, stop];
    const by = step ?? 1;
    if (by === 0) throw new Error('range() step must not be zero');
    const count = Math.max(0, Math.ceil((to - from) / by));
    left -= count;
    if (!(left >= 0)) throw new Error(`range() of more than ${MAX_RANGE_ITEMS} items`);
    return Array.from({ length: count }, (_, i) => from + i * by);
  };
}

/** The fields of `strftime` that templates use; English names, as Python's C locale gives them. */
function formatDate(date: Date, format: string): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const name = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat('en-US', options).format(date);
  const fields: Record<string, () => string> = {
    Y: () => String(date.getFullYear()),
    m: () => two(date.getMonth() + 1),
    d: () => two(date.getDate()),
    e: () => String(date.getDate()).padStart(2, ' '),
    B: () => name({ month: 'long' }),
    b: () => name({ month: 'short' }),
    A: () => name({ weekday: 'long' }),
    a: () => name({ weekday: 'short' }),
    H: () => two(date.getHours()),
    M: () => two(date.getMinutes()),
    S: () => two(date.getSeconds()),
    y: () => two(date.getFullYear() % 100),
    '%': () => '%',
  };
  return format.replace(/%([a-zA-Z%])/g, (whole, field: string) => fields[field]?.() ?? whole);
}
