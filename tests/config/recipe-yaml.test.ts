/**
 * Plan: a recipe in YAML is the object that the same JSON is, by the rules of YAML 1.2's core schema; what another
 * reader could take for something else, nests deep, is long or is no YAML is refused by its line, each with its
 * control; the parser stays out of what reads JSON.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseSettingsObject, parseYamlObject } from '$lib/config';

const read = (text: string) => parseYamlObject(text, 'c.yaml');

describe('YAML is read', () => {
  test.each<[string, unknown]>([
    ['a: 1\nb: 1.0e-4\nc: 2e-4\nd: .5', { a: 1, b: 1e-4, c: 2e-4, d: 0.5 }],
    ['a: true\nb: False\nc: null\nd: ~\ne:', { a: true, b: false, c: null, d: null, e: null }],
    ['a:\n  - x\n  - 2\nb: [x, {c: 1}]', { a: ['x', 2], b: ['x', { c: 1 }] }],
    ['# said\na: x # and this\n', { a: 'x' }],
    ['---\na: 1\n...\n', { a: 1 }],
    ['\ufeffa: 1', { a: 1 }],
    ['a: 1\r\nb: "x\\n"\r\n', { a: 1, b: 'x\n' }],
    ['a: |\n  x\n  y\nb: >\n  x\n  y\n', { a: 'x\ny\n', b: 'x y\n' }],
    // What YAML 1.1 has for numbers and truths is text, which a setting refuses; `no` is a strategy.
    [
      'a: no\nb: yes\nc: 010\nd: 1_000\ne: 12:30',
      { a: 'no', b: 'yes', c: 10, d: '1_000', e: '12:30' },
    ],
    ['%YAML 1.1\n---\na: no', { a: 'no' }],
    ['名称: 值', { 名称: '值' }],
    ['0: x', { '0': 'x' }],
    ['{"r": 4, "target_modules": ["q_proj"]}', { r: 4, target_modules: ['q_proj'] }],
  ])('%j', async (text, expected) => expect(await read(text)).toEqual(expected));

  test('by the ending of a name, and JSON by any other', async () => {
    for (const name of ['c.yaml', 'c.yml', 'C.YAML'])
      expect(await parseSettingsObject('r: 4', name)).toEqual({ r: 4 });
    await expect(parseSettingsObject('r: 4', 'c.json')).rejects.toThrow(/c\.json is not JSON/);
    expect(await parseSettingsObject('{"r":4}', 'c.json')).toEqual({ r: 4 });
  });

  test('with names of every object as names like any other', async () => {
    const object = await read('__proto__: {r: 9}\nconstructor: 1\ntoString: 2');
    expect(Object.keys(object)).toEqual(['__proto__', 'constructor', 'toString']);
    expect(({} as { r?: number }).r).toBeUndefined();
  });
});

describe('is refused by its line:', () => {
  test.each([
    ['r: 4\nseed: 1\nr: 8', 'duplicate', 'c.yaml, line 3 has r a second time.'],
    ['a: {b: 1, "b": 2}', 'duplicate', 'line 1 has b a second time'],
    ['a: &x 1\nb: 2', 'alias', 'line 1 has the anchor &x, leave it out'],
    ['a: 1\nb: *x', 'alias', 'line 2 has the alias *x, write what it stands for'],
    ['a: 1\n<<: {r: 4}', 'merge', 'line 2 has the merge key <<'],
    ['a: !!int "3"', 'tag', 'line 1 has the tag tag:yaml.org,2002:int'],
    ['a: 1\nb: !x 1', 'tag', 'line 2 has the tag !x'],
    ['a: !!python/object:os.system [ls]', 'tag', 'has the tag tag:yaml.org,2002:python/object'],
    ['a: 1\n---\nb: 2', 'documents', 'line 2 begins a second document'],
    ['? [a, b]\n: 1', 'key', 'line 1 has a value without a plain name'],
    [': 1', 'key', 'line 1 has a value without a plain name'],
    ['a: 1\n\tb: 2', 'syntax', 'is not YAML'],
    ['a: [1', 'syntax', 'is not YAML'],
    ['a: "x', 'syntax', 'is not YAML (Missing closing "quote)'],
    ['a: b: c', 'syntax', 'is not YAML'],
  ])('%j', async (text, flaw, message) => {
    const refused = read(text);
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toMatchObject({ code: 'not-yaml', details: { flaw } });
  });

  test.each([
    ['', 'null'],
    ['# nothing', 'null'],
    ['- r: 4', '[{"r":4}]'],
    ['r', '"r"'],
  ])('no settings: %j', async (text, found) => {
    await expect(read(text)).rejects.toMatchObject({ code: 'wrong-type' });
    await expect(read(text)).rejects.toThrow(`c.yaml holds ${found}, settings with their names`);
  });

  test('an alias that stands for a thousand million', async () => {
    const bomb = ['a0: &a0 [x]'];
    for (let i = 1; i < 30; i++) bomb.push(`a${i}: &a${i} [*a${i - 1}, *a${i - 1}]`);
    await expect(read(bomb.join('\n'))).rejects.toMatchObject({ details: { flaw: 'alias' } });
  });

  test.each([
    ['flow', (depth: number) => `a: ${'['.repeat(depth)}${']'.repeat(depth)}`],
    ['dashes', (depth: number) => `a:\n  ${'- '.repeat(depth)}x`],
    [
      'lines',
      (d: number) => Array.from({ length: d + 1 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
    ],
  ])('what nests deep: %s', async (_, nested) => {
    await expect(read(nested(60))).resolves.toHaveProperty('a');
    for (const depth of [65, 300, 20_000].filter((depth) => nested(depth).length < 60_000))
      await expect(read(nested(depth))).rejects.toMatchObject({ details: { flaw: 'depth' } });
  });

  test('what is long, before it is read, and names by the thousand soon', async () => {
    const names = (count: number) =>
      Array.from({ length: count }, (_, i) => `k${100_000 + i}:`).join('\n');
    await expect(read(names(10_000))).rejects.toMatchObject({ details: { flaw: 'size' } });
    const started = process.cpuUsage();
    expect(Object.keys(await read(names(7000)))).toHaveLength(7000);
    expect(process.cpuUsage(started).user / 1000).toBeLessThan(2000);
  });
});

test('nothing but a dynamic import reaches the parser', () => {
  const root = new URL('../../src', import.meta.url).pathname;
  const importers = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|svelte)$/.test(name))
    .flatMap((name) =>
      [...readFileSync(join(root, name), 'utf8').matchAll(/^.*['"]yaml['"].*$/gm)].map(([line]) =>
        line.trim(),
      ),
    );
  expect(importers).toEqual([
    expect.stringMatching(/^import type /),
    expect.stringMatching(/^import type /),
    "const yaml = await import('yaml');",
  ]);
});
