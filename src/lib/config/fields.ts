/** Reads typed fields out of parsed JSON, with an error that names field, value found and what is allowed. */
import { NO_ALIASES, spellingsOf, type Aliases, type Spelling } from './aliases';
import { ConfigError } from './errors';
import { isDeeperThan } from './json-depth';

export type JsonObject = Record<string, unknown>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A config nests some four deep; what nests deeper would overflow whatever walks it later. */
export const MAX_DEPTH = 64;

/** @throws ConfigError `not-json`, `wrong-type` */
export function parseJsonObject(text: string, fileName: string): JsonObject {
  if (isDeeperThan(text, MAX_DEPTH))
    throw new ConfigError(
      'wrong-type',
      `${fileName} nests brackets deeper than ${MAX_DEPTH}. Take the file as it was published.`,
      { details: { fileName } },
    );
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ConfigError(
      'not-json',
      `${fileName} is not JSON (${(error as Error).message}). Take the file as it was published.`,
      { details: { fileName } },
    );
  }
  if (!isJsonObject(value))
    throw new ConfigError(
      'wrong-type',
      `${fileName} holds ${describe(value)}, a JSON object is needed.`,
      { details: { fileName } },
    );
  return value;
}

/** Kinds of values that an error names for the languages of the page. */
export type Needed = 'number' | 'whole' | 'boolean' | 'text' | 'object' | 'steps';

interface NumberRange {
  min?: number;
  max?: number;
  /** Bounds themselves are not allowed. */
  open?: boolean;
}

export class Fields {
  /**
   * @param namesRead collects every name that is asked for, so that what nobody asked for can be told
   * @param aliases names under which the file may say what is asked for
   */
  constructor(
    readonly object: JsonObject,
    readonly fileName: string,
    private readonly namesRead = new Set<string>(),
    private readonly aliases: Aliases = NO_ALIASES,
  ) {}

  /** As it stands in the file, under the name itself or else under an alias. */
  value(name: string): unknown {
    this.namesRead.add(name);
    if (!this.aliases.has(name)) return this.object[name];
    const [counting, ...others] = spellingsOf(this.object, name, this.aliases);
    if (!counting) return undefined;
    this.namesRead.add(counting.name);
    // What says the same is not left unread.
    for (const other of others)
      if (isSame(other.value, counting.value)) this.namesRead.add(other.name);
    return counting.value;
  }

  /** The name that counts in the file, for sentences about it. */
  spelling(name: string): string {
    return this.counting(name)?.name ?? name;
  }

  private counting(name: string): Spelling | undefined {
    return spellingsOf(this.object, name, this.aliases)[0];
  }

  has(name: string): boolean {
    const value = this.value(name);
    return value !== undefined && value !== null;
  }

  number(name: string, fallback: number | undefined, range: NumberRange = {}): number {
    const value = this.value(name) ?? fallback;
    if (value === undefined) throw this.missing(name, 'a number');
    if (typeof value !== 'number' || !Number.isFinite(value))
      throw this.wrong(name, value, 'a finite number', { needs: 'number' });
    const { min = -Infinity, max = Infinity, open = false } = range;
    if (value < min || value > max || (open && (value === min || value === max)))
      throw this.outOfRange(name, value, min, max, open);
    return value;
  }

  integer(name: string, fallback: number | undefined, range: NumberRange = {}): number {
    const value = this.number(name, fallback, range);
    if (!Number.isSafeInteger(value))
      throw this.wrong(name, value, 'a whole number', { needs: 'whole' });
    return value;
  }

  boolean(name: string, fallback: boolean): boolean {
    const value = this.value(name) ?? fallback;
    if (typeof value !== 'boolean')
      throw this.wrong(name, value, 'true or false', { needs: 'boolean' });
    return value;
  }

  text(name: string, fallback: string | undefined): string {
    const value = this.value(name) ?? fallback;
    if (value === undefined) throw this.missing(name, 'a text');
    if (typeof value !== 'string') throw this.wrong(name, value, 'a text', { needs: 'text' });
    return value;
  }

  oneOf<Choice extends string>(
    name: string,
    choices: readonly Choice[],
    fallback: Choice | undefined,
  ): Choice {
    const value = this.value(name) ?? fallback;
    if (value === undefined) throw this.missing(name, `one of ${choices.join(', ')}`);
    if (!choices.includes(value as Choice))
      throw this.wrong(name, value, `one of ${choices.join(', ')}`, {
        allowed: choices.join(', '),
      });
    return value as Choice;
  }

  nested(name: string): Fields | undefined {
    const value = this.value(name);
    if (value === undefined || value === null) return undefined;
    if (!isJsonObject(value)) throw this.wrong(name, value, 'an object', { needs: 'object' });
    return new Fields(value, `${this.fileName} (${name})`);
  }

  /** @param details what is needed, for sentences in other languages: a kind, or values in a list */
  wrong(
    name: string,
    found: unknown,
    allowed: string,
    details: { needs?: Needed; allowed?: string } = {},
  ): ConfigError {
    const field = this.spelling(name);
    const { allowed: own, needs } = this.counting(name) ?? {};
    const ofAlias = needs === undefined ? { allowed: own } : { needs };
    return new ConfigError(
      'wrong-type',
      `${this.fileName}: ${field} is ${describe(found)}, ${own ?? allowed} is needed.`,
      {
        details: {
          ...{ fileName: this.fileName, field, found: describe(found) },
          ...(own === undefined ? details : ofAlias),
        },
      },
    );
  }

  unsupported(name: string, found: unknown, supported: string): ConfigError {
    const field = this.spelling(name);
    const allowed = this.counting(name)?.allowed ?? supported;
    return new ConfigError(
      'unsupported-option',
      `${this.fileName}: ${field} is ${describe(found)}, which is not supported; supported: ${allowed}.`,
      { details: { fileName: this.fileName, field, found: describe(found), allowed } },
    );
  }

  private missing(name: string, needed: string): ConfigError {
    return new ConfigError(
      'missing-field',
      `${this.fileName}: ${name} is missing, ${needed} is needed.`,
      {
        details: { fileName: this.fileName, field: name },
      },
    );
  }

  private outOfRange(name: string, found: number, min: number, max: number, open: boolean) {
    const bounds = {
      ...(min !== -Infinity && { min }),
      ...(max !== Infinity && { max }),
      ...(open && { open: 'open' }),
    };
    const low = min === -Infinity ? '' : `${open ? 'above' : 'at least'} ${min}`;
    const high = max === Infinity ? '' : `${open ? 'below' : 'at most'} ${max}`;
    const allowed = [low, high].filter(Boolean).join(' and ');
    const field = this.spelling(name);
    return new ConfigError(
      'out-of-range',
      `${this.fileName}: ${field} is ${found}, it must be ${allowed}.`,
      { details: { fileName: this.fileName, field, found, allowed, ...bounds } },
    );
  }
}

/** Of values and lists of values. */
const isSame = (a: unknown, b: unknown): boolean =>
  Array.isArray(a) && Array.isArray(b)
    ? a.length === b.length && a.every((item, i) => item === b[i])
    : a === b;

/** A value as JSON, cut to a length that fits into a sentence; safe for any value. */
export function describe(value: unknown): string {
  let text: string;
  try {
    text = JSON.stringify(value) ?? String(value);
  } catch {
    text = `a ${typeof value} that is no JSON`;
  }
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
