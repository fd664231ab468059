/**
 * Mutations of a JSON value that JSON itself cannot express: keys given twice, `__proto__` as an own
 * key, numbers beyond a double, types swapped anywhere, nesting without an end.
 */
import type { Xoshiro128 } from '$lib/config/random';
import { chance, KEYS, NUMBERS, pick, TEXTS } from './hostile';
import { mutateText } from './mutate-text';

/** Objects are pairs, so that a key may occur twice; a Raw is written as it stands. */
type Node = null | boolean | number | string | Node[] | Pairs | Raw;
class Pairs {
  constructor(readonly pairs: [string, Node][]) {}
}
class Raw {
  constructor(readonly text: string) {}
}
/** A place in its parent, which can be read, replaced, copied and removed. */
interface Place {
  readonly parent: Node[] | Pairs;
  readonly index: number;
}

const MAX_EDITS = 3;

/** JSON text, nearly. Once in sixteen, the text itself is damaged too. */
export function mutateJson(random: Xoshiro128, good: unknown): string {
  const root: Node[] = [toNode(good)];
  for (let left = 1 + random.nextBelow(MAX_EDITS); left > 0; left--) edit(random, root);
  const text = write(root[0] ?? null);
  return chance(random, 16) ? mutateText(random, text) : text;
}

function edit(random: Xoshiro128, root: Node[]): void {
  const places = listPlaces(root);
  if (places.length === 0) return;
  const place = pick(random, places);
  const { parent, index } = place;
  switch (random.nextBelow(7)) {
    case 0:
    case 1:
      return put(place, hostileNode(random));
    case 2:
      return put(place, nudge(random, get(place)));
    case 3:
      (parent instanceof Pairs ? parent.pairs : parent).splice(index, 1);
      return;
    case 4:
      return put(place, copyOf(get(pick(random, places))));
    case 5:
      if (parent instanceof Pairs) parent.pairs[index] = [pick(random, KEYS), get(place)];
      else parent.splice(index, 0, copyOf(get(place)));
      return;
    default:
      if (parent instanceof Pairs)
        parent.pairs.push([
          chance(random, 2) ? parent.pairs[index][0] : pick(random, KEYS),
          hostileNode(random),
        ]);
      else put(place, [get(place)]);
  }
}

/** A small step away from a good value finds the limits that a wild one jumps over. */
function nudge(random: Xoshiro128, node: Node): Node {
  if (typeof node === 'number') return node + pick(random, [1, -1, 0.5, 7, -node, node]);
  if (typeof node === 'boolean') return !node;
  if (typeof node === 'string') return mutateText(random, node);
  if (Array.isArray(node)) return chance(random, 2) ? [...node, ...node] : node.slice(1);
  return node;
}

function hostileNode(random: Xoshiro128): Node {
  switch (random.nextBelow(8)) {
    case 0:
      return null;
    case 1:
      return chance(random, 2);
    case 2:
    case 3:
      return new Raw(pick(random, NUMBERS));
    case 4:
      return pick(random, TEXTS);
    case 5:
      return chance(random, 4) ? deep(random) : [];
    case 6:
      return new Pairs(chance(random, 2) ? [] : [[pick(random, KEYS), hostileNode(random)]]);
    default:
      return Array.from({ length: random.nextBelow(20) }, (_, i) => i);
  }
}

function deep(random: Xoshiro128): Node {
  const depth = pick(random, [5, 40, 100, 30_000]);
  const [open, close] = pick(random, [
    ['[', ']'],
    ['{"a":', '}'],
  ]);
  return new Raw(`${open.repeat(depth)}0${close.repeat(depth)}`);
}

/** Never the node itself: put below itself it would have no end. */
function copyOf(node: Node): Node {
  if (Array.isArray(node)) return node.map(copyOf);
  if (node instanceof Pairs)
    return new Pairs(node.pairs.map(([key, inner]) => [key, copyOf(inner)]));
  return node;
}

function toNode(value: unknown): Node {
  if (Array.isArray(value)) return value.map(toNode);
  if (typeof value === 'object' && value !== null)
    return new Pairs(Object.entries(value).map(([key, inner]) => [key, toNode(inner)]));
  return value as Node;
}

function listPlaces(node: Node[] | Pairs, found: Place[] = []): Place[] {
  const count = node instanceof Pairs ? node.pairs.length : node.length;
  for (let index = 0; index < count; index++) {
    const place = { parent: node, index };
    found.push(place);
    const inner = get(place);
    if (Array.isArray(inner) || inner instanceof Pairs) listPlaces(inner, found);
  }
  return found;
}

const get = ({ parent, index }: Place): Node =>
  parent instanceof Pairs ? parent.pairs[index][1] : parent[index];

function put({ parent, index }: Place, node: Node): void {
  if (parent instanceof Pairs) parent.pairs[index] = [parent.pairs[index][0], node];
  else parent[index] = node;
}

function write(node: Node): string {
  if (node instanceof Raw) return node.text;
  if (Array.isArray(node)) return `[${node.map(write).join(',')}]`;
  if (node instanceof Pairs)
    return `{${node.pairs.map(([key, inner]) => `${JSON.stringify(key)}:${write(inner)}`).join(',')}}`;
  return JSON.stringify(node);
}
