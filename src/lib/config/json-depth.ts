/**
 * How deep brackets nest in a JSON text, found before anything walks it: `JSON.parse` reads any depth,
 * and `JSON.stringify`, `String` and every recursive walk of the value overflow the stack.
 */
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Index after the closing quote of the string that opens at `start`, or text.length. */
export function skipJsonString(text: string, start: number): number {
  let i = start + 1;
  for (;;) {
    i = text.indexOf('"', i);
    if (i === -1) return text.length;
    let backslashes = 0;
    while (text.charCodeAt(i - 1 - backslashes) === BACKSLASH) backslashes++;
    i++;
    if (backslashes % 2 === 0) return i;
  }
}

/** True where brackets nest deeper than `limit`, outside strings. */
export function isDeeperThan(text: string, limit: number, from = 0, to = text.length): boolean {
  let depth = 0;
  for (let i = from; i < to; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) i = skipJsonString(text, i) - 1;
    else if (c === 0x7b || c === 0x5b) {
      if (++depth > limit) return true;
    } else if (c === 0x7d || c === 0x5d) depth--;
  }
  return false;
}
