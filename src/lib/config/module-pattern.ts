/**
 * Regular expressions over names of modules, read as Python's `re` reads them. It comes with files of strangers, so
 * it is never given to an engine that goes back: see pattern-machine.ts. Left out, and refused by name, is what needs
 * one: backreferences, conditions, atomic groups and possessive repetitions; and lookbehind and flags, which nobody
 * writes over names.
 */
import { PatternFlaw, PatternMachine, type Effort, type PatternNode } from './pattern-machine';

/** What people's own have, Unsloth's and ms-swift's included, is some 400 letters. */
export const LONGEST_PATTERN = 1000;
const DEEPEST = 50;

/** Beside letters; the same in every language. */
export const PATTERN_SYNTAX =
  '. [...] (...) (?:...) | * + ? {m,n} ^ $ \\d \\w \\s \\b (?=...) (?!...)';

export type { Effort };

/** States that one look over a model's layers may enter: about half a second. */
export const newEffort = (): Effort => ({ left: 8_000_000 });

/** Of letters, digits, _ and dots alone, as most patterns are: a name for each layer. */
const PLAIN = /^(?:[\w.]|\\\.)+$/;
const ANY = '';

export class ModulePattern {
  private readonly machine: PatternMachine;
  /** Its letters, where it is plain. */
  private readonly plain: readonly string[] | undefined;

  /** @throws PatternFlaw */
  constructor(source: string) {
    if (source.length > LONGEST_PATTERN)
      throw new PatternFlaw(`has ${source.length} letters, at most ${LONGEST_PATTERN} are read`);
    this.machine = new PatternMachine(new Parser(source).parse());
    this.plain = PLAIN.test(source)
      ? source.match(/\\\.|./g)!.map((part) => (part === '.' ? ANY : part.slice(-1)))
      : undefined;
  }

  /** Python's `re.fullmatch`. @throws PatternFlaw where the effort is spent */
  matches(name: string, effort: Effort): boolean {
    if (this.plain) return name.length === this.plain.length && endsAlike(name, this.plain);
    return this.machine.run(name, [0], true, effort);
  }

  /** PEFT's `(.*\.)?(pattern)$`: the name, or what follows one of its dots. @throws PatternFlaw as `matches` */
  matchesEnd(name: string, effort: Effort): boolean {
    if (this.plain) {
      const at = name.length - this.plain.length;
      return (at === 0 || name[at - 1] === '.') && endsAlike(name, this.plain);
    }
    const starts = [0];
    for (let at = 0; at < name.length; at++) if (name[at] === '.') starts.push(at + 1);
    return this.machine.run(name, starts, true, effort);
  }
}

function endsAlike(name: string, letters: readonly string[]): boolean {
  const at = name.length - letters.length;
  for (let i = letters.length - 1; i >= 0; i--)
    if (letters[i] !== ANY && letters[i] !== name[at + i]) return false;
  return at >= 0;
}

type Test = (code: number) => boolean;

const isDigit: Test = (code) => code >= 48 && code <= 57;
const isWord: Test = (code) =>
  isDigit(code) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95;
const isSpace: Test = (code) => code === 32 || (code >= 9 && code <= 13);
const not =
  (test: Test): Test =>
  (code) =>
    !test(code);
const CLASSES: Readonly<Record<string, Test>> = {
  ...{ d: isDigit, D: not(isDigit), w: isWord, W: not(isWord), s: isSpace, S: not(isSpace) },
};

const isStart = (_name: string, at: number) => at === 0;
const isEnd = (name: string, at: number) => at === name.length;
const isEdge = (name: string, at: number) =>
  (at > 0 && isWord(name.charCodeAt(at - 1))) !== (at < name.length && isWord(name.charCodeAt(at)));
const PLACES: Readonly<Record<string, (name: string, at: number) => boolean>> = {
  ...{ A: isStart, Z: isEnd, b: isEdge, B: (name, at) => !isEdge(name, at) },
};

/** Groups that begin with `(?`: how, and what they are called where they are not taken. */
const REFUSED_GROUPS: readonly (readonly [start: string, name: string])[] = [
  ['(?<=', 'a lookbehind'],
  ['(?<!', 'a lookbehind'],
  ['(?>', 'an atomic group'],
  ['(?P=', 'a backreference'],
  ['(?(', 'a condition'],
  ['(?#', 'a comment'],
];

class Parser {
  private at = 0;
  private depth = 0;

  constructor(private readonly source: string) {}

  parse(): PatternNode {
    const node = this.choice();
    if (this.at < this.source.length) throw this.flaw('a ) without its (');
    return node;
  }

  private choice(): PatternNode {
    if (++this.depth > DEEPEST) throw this.flaw(`brackets nested deeper than ${DEEPEST}`);
    const parts = [this.sequence()];
    while (this.take('|')) parts.push(this.sequence());
    this.depth--;
    return parts.length === 1 ? parts[0] : { kind: 'choice', parts };
  }

  private sequence(): PatternNode {
    const parts: PatternNode[] = [];
    while (this.at < this.source.length && !'|)'.includes(this.source[this.at]))
      parts.push(this.repeated());
    return { kind: 'sequence', parts };
  }

  private repeated(): PatternNode {
    const before = this.at;
    if (this.repetition()) {
      this.at = before;
      throw this.flaw('a repetition of nothing');
    }
    const part = this.atom();
    const place = this.at;
    const found = this.repetition();
    if (!found) return part;
    if (part.kind === 'place') {
      this.at = place;
      throw this.flaw('a repetition of a place');
    }
    const [min, max] = found;
    if (min > max) throw this.flaw('a repetition whose least is above its most');
    if (this.take('+')) throw this.flaw('a possessive repetition');
    // Whether it takes few or many changes nothing where only the whole counts.
    this.take('?');
    const after = this.at;
    if (this.repetition()) {
      this.at = after;
      throw this.flaw('a repetition of a repetition');
    }
    return { kind: 'repeat', part, min, max };
  }

  private repetition(): readonly [min: number, max: number] | undefined {
    if (this.take('*')) return [0, Infinity];
    if (this.take('+')) return [1, Infinity];
    if (this.take('?')) return [0, 1];
    // A brace that says no number is a letter like any other, as in Python.
    const found = /^\{(\d*)(,?)(\d*)\}/.exec(this.source.slice(this.at, this.at + 40));
    if (!found || found[0] === '{}') return undefined;
    this.at += found[0].length;
    const [, min, comma, max] = found;
    return [Number(min), comma ? (max ? Number(max) : Infinity) : Number(min)];
  }

  private atom(): PatternNode {
    const letter = this.source[this.at];
    if (letter === '(') return this.group();
    this.at++;
    switch (letter) {
      case '.':
        return { kind: 'letter', test: (code) => code !== 10 };
      case '^':
        return { kind: 'place', holds: isStart };
      case '$':
        return { kind: 'place', holds: isEnd };
      case '[':
        return { kind: 'letter', test: this.set() };
      case '\\':
        return this.escaped();
      default:
        return literal(letter);
    }
  }

  private group(): PatternNode {
    const refused = REFUSED_GROUPS.find(([start]) => this.source.startsWith(start, this.at));
    if (refused) throw this.flaw(`${refused[1]} (${refused[0]})`);
    const rest = this.source.slice(this.at);
    const [opens] = /^\(\?(?:[:=!]|P<[A-Za-z_]\w*>)|^\(/.exec(rest)!;
    if (opens === '(' && rest[1] === '?')
      throw this.flaw(`flags, or a group of another kind (${rest.slice(0, 4)})`);
    const sign = opens[2];
    this.at += opens.length;
    const part = this.choice();
    if (!this.take(')')) throw this.flaw('a ( without its )');
    return sign === '=' || sign === '!' ? { kind: 'ahead', part, wanted: sign === '=' } : part;
  }

  private escaped(): PatternNode {
    const letter = this.escapedLetter();
    if (PLACES[letter]) return { kind: 'place', holds: PLACES[letter] };
    return CLASSES[letter] ? { kind: 'letter', test: CLASSES[letter] } : this.own(letter);
  }

  private escapedLetter(): string {
    if (this.at >= this.source.length) throw this.flaw('a \\ at its end');
    return this.source[this.at++];
  }

  private own(letter: string): PatternNode & { kind: 'letter' } {
    if (/\d/.test(letter)) throw this.flaw(`a backreference (\\${letter})`);
    if (/[A-Za-z]/.test(letter)) throw this.flaw(`the escape \\${letter}`);
    return literal(letter);
  }

  /** What stands between [ and ]. */
  private set(): Test {
    const negative = this.take('^');
    const tests: Test[] = [];
    for (let first = true; first || this.source[this.at] !== ']'; first = false) {
      if (this.at >= this.source.length) throw this.flaw('a [ without its ]');
      const low = this.member();
      const isRange =
        this.source[this.at] === '-' &&
        this.at + 1 < this.source.length &&
        this.source[this.at + 1] !== ']';
      if (!isRange) {
        tests.push(typeof low === 'number' ? (code) => code === low : low);
        continue;
      }
      this.at++;
      const high = this.member();
      if (typeof low !== 'number' || typeof high !== 'number' || low > high)
        throw this.flaw('a range that is none');
      tests.push((code) => code >= low && code <= high);
    }
    this.at++;
    // Asked once a letter, however much it lists; names are of ASCII.
    const has = Uint8Array.from({ length: 128 }, (_, code) =>
      Number(tests.some((test) => test(code)) !== negative),
    );
    return (code) => (code < 128 ? has[code] === 1 : negative);
  }

  private member(): number | Test {
    const letter = this.source[this.at++];
    if (letter !== '\\') return letter.charCodeAt(0);
    const escaped = this.escapedLetter();
    if (CLASSES[escaped]) return CLASSES[escaped];
    this.own(escaped);
    return escaped.charCodeAt(0);
  }

  private take(letter: string): boolean {
    if (this.source[this.at] !== letter) return false;
    this.at++;
    return true;
  }

  private flaw(what: string): PatternFlaw {
    return new PatternFlaw(`has ${what} at letter ${Math.min(this.at + 1, this.source.length)}`);
  }
}

function literal(letter: string): PatternNode & { kind: 'letter' } {
  const wanted = letter.charCodeAt(0);
  return { kind: 'letter', test: (code) => code === wanted };
}
