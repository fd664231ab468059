/**
 * A recipe in YAML as a plain object: YAML 1.2's core schema, one document, nothing but maps, lists and plain values.
 * What could mean something else to another reader (tags, aliases, merged or doubled keys) is refused by its line.
 * The parser is loaded with the first such file: a page that reads JSON alone never fetches it.
 */
import type * as Yaml from 'yaml';
import type { LineCounter, Node, Pair, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import { ConfigError } from './errors';
import { describe, isJsonObject, MAX_DEPTH, parseJsonObject, type JsonObject } from './fields';

/** Recipes have some KB; with so much the parser takes half a second at worst. */
const MOST_CHARS = 64 * 1024;

/** What is wrong, for sentences in other languages. */
export type YamlFlaw =
  'syntax' | 'size' | 'depth' | 'documents' | 'duplicate' | 'alias' | 'tag' | 'merge' | 'key';

const isYamlName = (fileName: string): boolean => /\.ya?ml$/i.test(fileName);

/** By the file's name: YAML or JSON. @throws ConfigError `not-yaml`, `not-json`, `wrong-type` */
export const parseSettingsObject = async (text: string, fileName: string): Promise<JsonObject> =>
  isYamlName(fileName) ? parseYamlObject(text, fileName) : parseJsonObject(text, fileName);

/** @throws ConfigError `not-yaml` with a `flaw` in its details; `wrong-type` */
export async function parseYamlObject(text: string, fileName: string): Promise<JsonObject> {
  if (text.length > MOST_CHARS)
    throw flawed(
      { fileName, flaw: 'size', found: text.length },
      `has ${text.length} characters; a recipe in YAML has at most ${MOST_CHARS}`,
    );
  const yaml = await import('yaml');
  const value = new Reader(yaml, fileName).read(text);
  if (!isJsonObject(value))
    throw new ConfigError(
      'wrong-type',
      `${fileName} holds ${describe(value)}, settings with their names are needed.`,
      { details: { fileName } },
    );
  return value;
}

class Reader {
  readonly #lines: LineCounter;

  constructor(
    private readonly yaml: typeof Yaml,
    private readonly fileName: string,
  ) {
    this.#lines = new yaml.LineCounter();
  }

  read(text: string): unknown {
    const document = this.yaml.parseDocument(text, {
      ...{ version: '1.2', schema: 'core', merge: false, resolveKnownTags: false },
      // Found below, in a time that grows with the file.
      uniqueKeys: false,
      ...{ lineCounter: this.#lines, prettyErrors: false, logLevel: 'error' },
    });
    const [error] = document.errors;
    if (error?.code === 'RESOURCE_EXHAUSTION') throw this.#tooDeep(error.pos[0]);
    if (error?.code === 'MULTIPLE_DOCS')
      throw this.#flaw('documents', error.pos[0], 'begins a second document, one is read');
    if (error) throw this.#flaw('syntax', error.pos[0], `is not YAML (${briefly(error.message)})`);
    return this.#valueOf(document.contents, 1);
  }

  #valueOf(node: Node | null, depth: number): unknown {
    const { isAlias, isMap, isScalar, isSeq } = this.yaml;
    if (node === null) return null;
    const at = startOf(node);
    if (isAlias(node))
      throw this.#flaw('alias', at, `has the alias *${node.source}, write what it stands for`, {
        found: `*${briefly(node.source)}`,
      });
    const { anchor, tag } = node as Scalar | YAMLMap | YAMLSeq;
    if (anchor !== undefined)
      throw this.#flaw('alias', at, `has the anchor &${briefly(anchor)}, leave it out`, {
        found: `&${briefly(anchor)}`,
      });
    if (tag !== undefined)
      throw this.#flaw('tag', at, `has the tag ${briefly(tag)}, leave it out`, {
        found: briefly(tag),
      });
    if (isScalar(node)) return node.value;
    if (depth > MAX_DEPTH) throw this.#tooDeep(at);
    if (isSeq(node)) return node.items.map((item) => this.#valueOf(item as Node, depth + 1));
    if (isMap(node)) return this.#objectOf(node.items as Pair<Node, Node | null>[], depth);
    throw this.#flaw('syntax', at, 'is not YAML');
  }

  #objectOf(pairs: readonly Pair<Node, Node | null>[], depth: number): JsonObject {
    const entries = new Map<string, unknown>();
    for (const { key, value } of pairs) {
      const at = startOf(key);
      const name = this.yaml.isScalar(key) ? this.#valueOf(key, depth) : null;
      if (name === null) throw this.#flaw('key', at, 'has a value without a plain name');
      if (name === '<<')
        throw this.#flaw('merge', at, 'has the merge key <<, write out what it stands for', {
          found: '<<',
        });
      const field = String(name);
      if (entries.has(field)) {
        const found = briefly(field);
        throw this.#flaw('duplicate', at, `has ${found} a second time`, { found, field: found });
      }
      entries.set(field, this.#valueOf(value, depth + 1));
    }
    // Names such as __proto__ are names like any other.
    return Object.fromEntries(entries);
  }

  #tooDeep(at: number): ConfigError {
    return this.#flaw('depth', at, `nests deeper than ${MAX_DEPTH}`);
  }

  #flaw(flaw: YamlFlaw, at: number, is: string, details: Record<string, string> = {}): ConfigError {
    const { fileName } = this;
    const { line } = this.#lines.linePos(at);
    return flawed({ fileName, flaw, line: Math.max(1, line), ...details }, is);
  }
}

function flawed(details: { fileName: string } & Record<string, string | number>, is: string) {
  const { fileName, line } = details;
  const where = line === undefined ? fileName : `${fileName}, line ${line}`;
  return new ConfigError('not-yaml', `${where} ${is}.`, { details });
}

const startOf = (node: Node): number => node.range?.[0] ?? 0;

/** On one line, as much as fits into a sentence. */
function briefly(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 80 ? `${line.slice(0, 77)}...` : line;
}
