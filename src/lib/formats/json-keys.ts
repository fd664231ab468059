/**
 * What `JSON.parse` hides: keys given twice, and nesting so deep that later walks would overflow the
 * stack. Works on text that `JSON.parse` has accepted or is about to.
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

/** Path of the first key that an object of valid JSON gives twice, such as `weight.dtype`. */
export function findDuplicateKey(text: string): string | undefined {
  const open: { keys: Set<string> | undefined; last: string }[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '{') open.push({ keys: new Set(), last: '' });
    else if (c === '[') open.push({ keys: undefined, last: '' });
    else if (c === '}' || c === ']') open.pop();
    else if (c === '"') {
      const end = skipJsonString(text, i);
      const scope = open.at(-1);
      let next = end;
      while (next < text.length && /\s/.test(text[next])) next++;
      if (scope?.keys && text[next] === ':') {
        const key = JSON.parse(text.slice(i, end)) as string;
        if (scope.keys.has(key)) {
          const path = open.slice(0, -1).map((s) => s.last);
          return [...path, key].filter((part) => part !== '').join('.');
        }
        scope.keys.add(key);
        scope.last = key;
      }
      i = end - 1;
    }
  }
  return undefined;
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
