/** Pieces of a text to token ids, so that a border between two pieces is a border between tokens. */
import type { Piece } from './render-row';
import type { Tokenizer } from './tokenizer';

/**
 * Ids of each piece. The text as a whole decides where it agrees with the borders; where a token
 * would reach over a border, the pieces are encoded apart: inference ends its prompt at that border.
 */
export function encodePieces(pieces: readonly Piece[], tokenizer: Tokenizer): number[][] {
  const encode = (text: string) => tokenizer.encode(text, { addSpecialTokens: false });
  const apart = pieces.map(({ text }) => encode(text));
  const whole = encode(pieces.map(({ text }) => text).join(''));
  if (isSame(apart.flat(), whole)) return apart;
  // A tokenizer that marks the start of a text (sentencepiece) marks every piece when apart.
  const borders: number[] = [0];
  let text = '';
  for (const piece of pieces) {
    text += piece.text;
    const before = encode(text);
    if (!isSame(before, whole.slice(0, before.length))) return apart;
    borders.push(before.length);
  }
  return pieces.map((_, i) => whole.slice(borders[i], borders[i + 1]));
}

const prefixes = new WeakMap<Tokenizer, readonly number[]>();

/** What the tokenizer puts before every text, such as bos. */
export function prefixIds(tokenizer: Tokenizer): readonly number[] {
  const known = prefixes.get(tokenizer);
  if (known) return known;
  const bare = tokenizer.encode('a', { addSpecialTokens: false });
  const dressed = tokenizer.encode('a');
  const at = dressed.findIndex((_, i) => isSame(bare, dressed.slice(i, i + bare.length)));
  const prefix = at > 0 ? dressed.slice(0, at) : [];
  prefixes.set(tokenizer, prefix);
  return prefix;
}

const isSame = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((id, i) => id === b[i]);
