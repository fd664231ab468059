/**
 * A tokenizer over @huggingface/tokenizers that says what it cannot do instead of returning holes.
 * Special tokens written inside a text are read as special tokens, as Python's tokenizers do.
 */
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { describe } from '../config/fields';
import { checkTokenizerFiles, type SpecialTokens } from './check-tokenizer-files';
import { TextError } from './errors';

/** Some 30 times the longest context window: a longer text is a file given by mistake. */
export const MAX_TEXT_CHARS = 2 ** 25;

export interface Tokenizer {
  /** Token ids; `addSpecialTokens` (default true) lets the model's post-processor add bos and such. */
  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): number[];
  /** `skipSpecialTokens` is false by default. Incomplete characters become U+FFFD. */
  decode(ids: Iterable<number>, options?: { readonly skipSpecialTokens?: boolean }): string;
  /** The highest id plus one. */
  readonly vocabSize: number;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  readonly padId: number | undefined;
  readonly unkId: number | undefined;
  readonly chatTemplate: string | undefined;
  /** As tokenizer_config.json names them, for the chat template. */
  readonly specialTokens: SpecialTokens;
  tokenId(text: string): number | undefined;
  isSpecial(id: number): boolean;
}

export interface TokenizerSource {
  /** Contents of tokenizer.json: text, or already parsed. */
  readonly tokenizerJson: unknown;
  /** Contents of tokenizer_config.json, where there is one. */
  readonly tokenizerConfig?: unknown;
  /** Contents of chat_template.jinja, which newer models keep beside the config; it wins. */
  readonly chatTemplate?: string;
}

export function loadTokenizer(source: TokenizerSource): Tokenizer {
  const files = checkTokenizerFiles(source.tokenizerJson, source.tokenizerConfig);
  const library = build(files.tokenizerJson, files.tokenizerConfig);
  let highestId = -1;
  for (const id of library.get_vocab().values()) if (id > highestId) highestId = id;
  const extra = files.tokenizerConfig.additional_special_tokens as readonly string[];
  const specialIds = new Set<number>(
    [...files.addedTokens.filter((token) => token.special).map((token) => token.id)].concat(
      extra.flatMap((token) => library.token_to_id(token) ?? []),
    ),
  );
  const idOf = (name: keyof SpecialTokens): number | undefined => {
    const text = files.specialTokens[name];
    return text === undefined ? undefined : library.token_to_id(text);
  };
  // Python's default since transformers 5; the library's is the old one, which loses blanks.
  const cleanUp = files.tokenizerConfig.clean_up_tokenization_spaces === true;
  const vocabSize = highestId + 1;

  return {
    encode(text, { addSpecialTokens = true } = {}) {
      if (text.length > MAX_TEXT_CHARS) {
        throw new TextError(
          'too-large',
          `a text has ${text.length} characters; at most ${MAX_TEXT_CHARS} are allowed.`,
        );
      }
      if (text === '' && !addSpecialTokens) return [];
      const { ids, tokens } = used(() =>
        library.encode(text, { add_special_tokens: addSpecialTokens }),
      );
      const hole = ids.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < vocabSize));
      if (hole !== -1) {
        throw new TextError(
          'unencodable',
          `the tokenizer has no token for ${describe(tokens[hole])} and no unknown token; another model is needed for this text.`,
        );
      }
      return ids;
    },
    decode(ids, { skipSpecialTokens = false } = {}) {
      const kept: number[] = [];
      for (const id of ids) {
        if (!Number.isInteger(id) || id < 0 || id >= vocabSize) {
          throw new TextError(
            'bad-token-id',
            `token id ${id} is not in the vocabulary; 0 to ${vocabSize - 1} are allowed.`,
          );
        }
        if (!skipSpecialTokens || !specialIds.has(id)) kept.push(id);
      }
      if (kept.length === 0) return '';
      const text = used(() => library.decode(kept, { clean_up_tokenization_spaces: cleanUp }));
      return typeof text === 'string' ? text : '';
    },
    vocabSize,
    bosId: idOf('bos_token'),
    eosId: idOf('eos_token'),
    padId: idOf('pad_token'),
    unkId: idOf('unk_token'),
    chatTemplate: source.chatTemplate ?? files.chatTemplate,
    specialTokens: files.specialTokens,
    tokenId: (text) => library.token_to_id(text),
    isSpecial: (id) => specialIds.has(id),
  };
}

/** Some damage shows only when a step is reached: the library checks nothing beforehand. */
function used<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.slice(0, 160) : 'unknown reason';
    throw new TextError(
      'bad-tokenizer',
      `the tokenizer failed on a text (${reason}); tokenizer.json is damaged or the text is too long.`,
      { cause },
    );
  }
}

function build(json: Record<string, unknown>, config: Record<string, unknown>) {
  try {
    return new HuggingFaceTokenizer(json, config);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.slice(0, 160) : 'unknown reason';
    throw new TextError(
      'bad-tokenizer',
      `no tokenizer can be built from tokenizer.json (${reason}); this kind is not supported or the file is damaged.`,
      { cause },
    );
  }
}
