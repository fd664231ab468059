/**
 * Reads tokenizer.json and tokenizer_config.json as what they claim to be before a tokenizer is built
 * from them: the library underneath trusts its input. Knows the files' shape, not how to tokenise.
 */
import { isDeeperThan } from '../config/json-depth';
import { adaptPreTokenizer } from './adapt-pre-tokenizer';
import { checkSteps } from './check-steps';
import { TextError } from './errors';

/** Above the largest published vocabulary (262,144) by a factor of four. */
export const MAX_VOCAB_SIZE = 1_048_576;
/** The largest published tokenizer.json has some 35 million characters. */
const MAX_FILE_CHARS = 200_000_000;

/** Ten times BERT's: WordPiece takes time with the cube of a word's length. */
const MAX_WORD_CHARS = 1000;
/** Ten times the longest published: each is looked for at every place of a text. */
const MAX_ADDED_CHARS = 1000;

/** Published files nest some eight deep. */
const MAX_DEPTH = 64;

export interface SpecialTokens {
  readonly bos_token?: string;
  readonly eos_token?: string;
  readonly unk_token?: string;
  readonly pad_token?: string;
}

export interface AddedTokenEntry {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
}

export interface TokenizerFiles {
  readonly tokenizerJson: Record<string, unknown>;
  /** With every special token as plain text, as the library expects it. */
  readonly tokenizerConfig: Record<string, unknown>;
  readonly addedTokens: readonly AddedTokenEntry[];
  readonly specialTokens: SpecialTokens;
  readonly chatTemplate: string | undefined;
}

const SPECIAL_NAMES = ['bos_token', 'eos_token', 'unk_token', 'pad_token'] as const;
const MODEL_TYPES = ['BPE', 'Unigram', 'WordPiece'];

export function checkTokenizerFiles(json: unknown, config: unknown): TokenizerFiles {
  const tokenizerJson = readObject(json, 'tokenizer.json');
  const source = config === undefined ? {} : readObject(config, 'tokenizer_config.json');
  checkModel(tokenizerJson.model);
  checkSteps(tokenizerJson);
  const addedTokens = readAddedTokens(tokenizerJson.added_tokens);
  const tokenizerConfig: Record<string, unknown> = { ...source };
  const specialTokens: Record<string, string> = {};
  for (const name of SPECIAL_NAMES) {
    const text = tokenText(source[name], name);
    tokenizerConfig[name] = text;
    if (text !== undefined) specialTokens[name] = text;
  }
  const extra = source.additional_special_tokens ?? [];
  tokenizerConfig.additional_special_tokens = Array.isArray(extra)
    ? extra.map((token) => tokenText(token, 'additional_special_tokens')).filter(Boolean)
    : [];
  return {
    // The library asks for keys that older files leave out.
    tokenizerJson: {
      normalizer: null,
      post_processor: null,
      decoder: null,
      ...tokenizerJson,
      pre_tokenizer: adaptPreTokenizer(tokenizerJson.pre_tokenizer ?? null),
      added_tokens: tokenizerJson.added_tokens ?? [],
    },
    tokenizerConfig,
    addedTokens,
    specialTokens,
    chatTemplate: readChatTemplate(source.chat_template),
  };
}

function readObject(value: unknown, fileName: string): Record<string, unknown> {
  let parsed = value;
  if (typeof value === 'string') {
    if (value.length > MAX_FILE_CHARS) {
      throw new TextError(
        'too-large',
        `${fileName} has ${value.length} characters; at most ${MAX_FILE_CHARS} are allowed.`,
      );
    }
    if (isDeeperThan(value, MAX_DEPTH)) {
      throw bad(
        `${fileName} nests brackets deeper than ${MAX_DEPTH}; get the model's files again.`,
      );
    }
    try {
      parsed = JSON.parse(value);
    } catch (cause) {
      throw bad(`${fileName} is not JSON; get the model's files again.`, cause);
    }
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw bad(`${fileName} is no JSON object; get the model's files again.`);
  }
  return parsed as Record<string, unknown>;
}

function checkModel(model: unknown): void {
  if (typeof model !== 'object' || model === null) {
    throw bad('tokenizer.json has no "model"; it is not a tokenizer of the tokenizers library.');
  }
  const { type, vocab, merges, max_input_chars_per_word } = model as Record<string, unknown>;
  if (type !== undefined && !(typeof type === 'string' && MODEL_TYPES.includes(type))) {
    const found = typeof type === 'string' ? type.slice(0, 40) : `a ${typeof type}`;
    throw bad(
      `tokenizer.json has a model of type ${found}; ${MODEL_TYPES.join(', ')} are allowed.`,
    );
  }
  const entries = Array.isArray(vocab)
    ? vocab
    : isObject(vocab)
      ? Object.entries(vocab)
      : undefined;
  if (!entries || entries.length === 0 || entries.length > MAX_VOCAB_SIZE) {
    throw bad(
      `the vocabulary in tokenizer.json has ${entries?.length ?? 'no'} entries; 1 to ${MAX_VOCAB_SIZE} are allowed.`,
    );
  }
  const seen = new Uint8Array(MAX_VOCAB_SIZE);
  for (const entry of entries as unknown[]) {
    const [token, id] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (typeof token !== 'string' || typeof id !== 'number') {
      throw bad('the vocabulary in tokenizer.json has an entry that is no token with a number.');
    }
    // A Unigram vocabulary is a list of [token, score]: ids are places, not values.
    if (Array.isArray(vocab)) continue;
    if (!isTokenId(id) || seen[id]) {
      throw bad(
        `token ${JSON.stringify(token.slice(0, 40))} in tokenizer.json has id ${id}; whole numbers below ${MAX_VOCAB_SIZE}, each once, are allowed.`,
      );
    }
    seen[id] = 1;
  }
  if (type === 'BPE' || (type === undefined && merges !== undefined)) checkMerges(merges);
  const limit = max_input_chars_per_word ?? MAX_WORD_CHARS;
  if (!(typeof limit === 'number' && limit >= 1 && limit <= MAX_WORD_CHARS)) {
    throw bad(
      `max_input_chars_per_word in tokenizer.json is not between 1 and ${MAX_WORD_CHARS}; get the model's files again.`,
    );
  }
}

function checkMerges(merges: unknown): void {
  if (!Array.isArray(merges) || merges.length > MAX_VOCAB_SIZE) {
    throw bad(`tokenizer.json has no list of at most ${MAX_VOCAB_SIZE} merges.`);
  }
  for (const merge of merges as unknown[]) {
    const isPair =
      typeof merge === 'string'
        ? merge.includes(' ')
        : Array.isArray(merge) && merge.length === 2 && merge.every((m) => typeof m === 'string');
    if (!isPair) throw bad('tokenizer.json has a merge that is no pair of tokens.');
  }
}

function readAddedTokens(added: unknown): AddedTokenEntry[] {
  if (added === undefined || added === null) return [];
  if (!Array.isArray(added) || added.length > MAX_VOCAB_SIZE) {
    throw bad('added_tokens in tokenizer.json is no list of tokens.');
  }
  return (added as unknown[]).map((entry, i) => {
    const { id, content, special } = isObject(entry) ? entry : {};
    if (!isTokenId(id) || typeof content !== 'string' || content === '') {
      throw bad(`added_tokens[${i}] in tokenizer.json has no content or no id.`);
    }
    if (content.length > MAX_ADDED_CHARS) {
      throw bad(
        `added_tokens[${i}] in tokenizer.json has ${content.length} characters; at most ${MAX_ADDED_CHARS} are allowed.`,
      );
    }
    return { id, content, special: special === true };
  });
}

/** A special token is text, or an object with its text as `content`; null means there is none. */
function tokenText(value: unknown, name: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  const text = isObject(value) ? value.content : value;
  if (typeof text === 'string') return text;
  throw bad(`${name} in tokenizer_config.json is no text.`);
}

/** One template, or several of which `default` is the one for talking. */
function readChatTemplate(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) {
    const named = (value as unknown[]).find((entry) => isObject(entry) && entry.name === 'default');
    const template = isObject(named) ? named.template : undefined;
    return typeof template === 'string' ? template : undefined;
  }
  if (isObject(value) && typeof value.default === 'string') return value.default;
  return undefined;
}

const isTokenId = (id: unknown): id is number =>
  typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < MAX_VOCAB_SIZE;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const bad = (message: string, cause?: unknown): TextError =>
  new TextError('bad-tokenizer', message, { cause });
