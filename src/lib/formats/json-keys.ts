/** What `JSON.parse` hides: keys given twice. Works on text that `JSON.parse` has accepted. */
import { skipJsonString } from '../config/json-depth';

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
