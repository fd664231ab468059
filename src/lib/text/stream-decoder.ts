/**
 * Decodes tokens one by one as they are generated, and never gives half a character: what may still
 * be the start of one is held back until the rest arrives or `flush` is called.
 */
import type { Tokenizer } from './tokenizer';

export interface StreamDecoder {
  /** The text that has become certain with this token; often '' inside Chinese or emoji. */
  push(id: number): string;
  /** What was held back, with U+FFFD for bytes that never became a character. Starts afresh. */
  flush(): string;
}

const REPLACEMENT = '\uFFFD';

export function createStreamDecoder(
  tokenizer: Tokenizer,
  { skipSpecialTokens = true }: { readonly skipSpecialTokens?: boolean } = {},
): StreamDecoder {
  // Tokens decode in context (leading blanks, bytes that join), so a short window is decoded again
  // each time and only what was not given before is given.
  let window: number[] = [];
  let given = 0;
  const decode = (ids: number[]) => tokenizer.decode(ids, { skipSpecialTokens });

  return {
    push(id) {
      window.push(id);
      const text = decode(window);
      // All bytes before the last U+FFFD are settled; that one may be an unfinished character.
      const isOpen = text.endsWith(REPLACEMENT);
      const certain = isOpen ? text.length - 1 : text.length;
      const fresh = text.slice(given, certain);
      given = Math.max(given, certain);
      if (!isOpen) {
        window = [id];
        given = decode(window).length;
      }
      return fresh;
    },
    flush() {
      const rest = window.length === 0 ? '' : decode(window).slice(given);
      window = [];
      given = 0;
      return rest;
    },
  };
}
