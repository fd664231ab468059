/**
 * Regular expressions over names of modules. Plan:
 * - over many expressions and names, what Python's `re` and PEFT's `get_pattern_key` say
 * - what needs an engine that goes back, and what is no expression, is refused by name; each beside one that passes
 * - expressions that take other engines years take milliseconds; one that asks for too much says so
 * - no text at all ends in another error, or takes long
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ModulePattern, newEffort, PatternFlaw } from '$lib/config';
import { readJson } from '../goldens';

interface Golden {
  names: string[];
  expressions: { pattern: string; whole: string[]; end: string[] }[];
}
const { names, expressions } = readJson<Golden>('targets.json');
const PATH = 'model.layers.31.self_attn.q_proj';

it.each(expressions)('$pattern fits what it fits in Python', ({ pattern, whole, end }) => {
  const read = new ModulePattern(pattern);
  expect(names.filter((name) => read.matches(name, newEffort()))).toEqual(whole);
  expect(names.filter((name) => read.matchesEnd(name, newEffort()))).toEqual(end);
});

describe('refused by name, beside one that passes:', () => {
  it.each([
    ['(a)\\1', /a backreference \(\\1\)/, '(a)a'],
    ['(?P<x>a)(?P=x)', /a backreference \(\(\?P=\)/, '(?P<x>a)a'],
    ['(?<=a)b', /a lookbehind/, '(?=a)b'],
    ['(?<!a)b', /a lookbehind/, '(?!a)b'],
    ['(?>a+)', /an atomic group/, '(?:a+)'],
    ['(a)?(?(1)b)', /a condition/, '(a)?(b)'],
    ['(?#why)a', /a comment/, 'a'],
    ['(?i)a', /flags, or a group of another kind/, '[aA]'],
    ['a*+', /a possessive repetition/, 'a*?'],
    ['a**', /a repetition of a repetition/, '(a*)*'],
    ['*a', /a repetition of nothing/, 'a*'],
    ['^*a', /a repetition of a place/, '^a*'],
    ['a{3,2}', /whose least is above its most/, 'a{2,3}'],
    ['(a', /a \( without its \)/, '(a)'],
    ['a)', /a \) without its \(/, '(a)'],
    ['[a', /a \[ without its \]/, '[a]'],
    ['[z-a]', /a range that is none/, '[a-z]'],
    ['a\\', /a \\ at its end/, 'a\\.'],
    ['\\x41', /the escape \\x/, '\\d'],
    ['a{2001}', /repeats more than 2000 parts/, 'a{999}'],
    ['(){999999999}', /repeats more than 2000 parts/, '(){9}'],
    ['(?:(?=a{900})b){900}', /repeats more than 2000 parts/, '(?:(?=a{9})b){9}'],
    ['('.repeat(60) + ')'.repeat(60), /nested deeper than 50/, '('.repeat(40) + ')'.repeat(40)],
    ['a'.repeat(1001), /has 1001 letters, at most 1000/, 'a'.repeat(1000)],
  ])('%s', (pattern, message, control) => {
    expect(() => new ModulePattern(pattern)).toThrow(message);
    expect(() => new ModulePattern(pattern)).toThrow(PatternFlaw);
    expect(() => new ModulePattern(control)).not.toThrow();
  });
});

describe('no expression hangs', () => {
  const hostile = [
    '(a+)+$',
    '(a|aa)+$',
    '(.*)*(.*)*(.*)*x',
    '((((((.*)*)*)*)*)*)*!',
    '(\\w+\\.?)+!',
    '(?:(?=(?:(?=.*x).)*).)*!',
    `${'(.?)'.repeat(200)}!`,
    '((a{0,9}){0,9}){0,9}!',
  ];
  it.each(hostile)('%s', (pattern) => {
    const read = new ModulePattern(pattern);
    const effort = newEffort();
    const begun = performance.now();
    for (const name of [PATH, 'a'.repeat(200)]) {
      expect(read.matches(name, effort)).toBe(/\$$/.test(pattern) && name !== PATH);
      read.matchesEnd(name, effort);
    }
    expect(performance.now() - begun).toBeLessThan(1000);
  });

  it('one that asks for too much is told, and what it asks of few names is done', () => {
    const read = new ModulePattern('(?:(?!(?:.?){400}!).)*!');
    const effort = newEffort();
    expect(read.matches('model.norm', effort)).toBe(false);
    const ask = () => {
      for (let i = 0; i < 1000; i++) read.matches('a'.repeat(200), effort);
    };
    expect(ask).toThrow(/takes too long to match/);
  });

  it('whatever the text, it is an expression or a flaw, at once', () => {
    const letter = fc.constantFrom(...'a.()[]{}*+?|^$\\d,1-:=!<P>w_bé'.split(''));
    fc.assert(
      fc.property(fc.array(letter, { maxLength: 40 }), (letters) => {
        const begun = performance.now();
        try {
          const read = new ModulePattern(letters.join(''));
          for (const name of [PATH, ...names]) {
            read.matches(name, newEffort());
            read.matchesEnd(name, newEffort());
          }
        } catch (error) {
          expect(error).toBeInstanceOf(PatternFlaw);
        }
        expect(performance.now() - begun).toBeLessThan(1000);
      }),
      { numRuns: 3000 },
    );
  });
});
