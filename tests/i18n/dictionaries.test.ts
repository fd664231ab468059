/**
 * Plan: both languages say everything (types hold the keys; here: no empty text, no text left in the
 * other language), the locale follows choice and browser, numbers and times read as each language writes
 * them, and every error code of every room has a sentence.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { createFormat, DICTIONARIES, explainError, resolveLocale } from '../../src/lib/i18n';
import { errors as enErrors } from '../../src/lib/i18n/en/errors';
import { errors as zhErrors } from '../../src/lib/i18n/zh/errors';

type Leaf = readonly [path: string, value: unknown];

function leaves(value: unknown, path = ''): Leaf[] {
  if (typeof value !== 'object' || value === null) return [[path, value]];
  return Object.entries(value).flatMap(([key, child]) => leaves(child, `${path}.${key}`));
}

const HAN = /\p{Script=Han}/u;
/** Says the other language's name on purpose, or is a name that both share. */
const MIXED = /^\.(frame\.language|common\.appName|common\.appNameLong|settings\.aboutBody)/;

describe('dictionaries', () => {
  const zh = leaves(DICTIONARIES['zh-CN']);
  const en = leaves(DICTIONARIES.en);

  test('have the same keys, each a text or a function', () => {
    expect(en.map(([path]) => path)).toEqual(zh.map(([path]) => path));
    for (const [path, value] of [...zh, ...en])
      expect(['string', 'function'], path).toContain(typeof value);
  });

  test('leave no text empty', () => {
    const empty = [...zh, ...en].filter(([, value]) => value === '').map(([path]) => path);
    expect(empty).toEqual([]);
  });

  test('keep English free of Chinese', () => {
    const mixed = en.filter(
      ([path, value]) => typeof value === 'string' && HAN.test(value) && !MIXED.test(path),
    );
    expect(mixed).toEqual([]);
  });

  test('count in the singular and the plural', () => {
    const { train, common } = DICTIONARIES.en;
    expect(common.rows(1)).toBe('1 row');
    expect(common.rows(1200)).toBe('1,200 rows');
    expect(train.rowsCut(1, 512)).toContain('1 row has its answer');
    expect(train.rowsCut(3, 512)).toContain('3 rows have their answers');
    expect(DICTIONARIES['zh-CN'].common.rows(1200)).toBe('1,200 条');
  });
});

describe('locale', () => {
  test.each([
    ['system', ['zh-TW', 'en'], 'zh-CN'],
    ['system', ['fr', 'en-GB', 'zh'], 'en'],
    ['system', ['fr'], 'en'],
    ['system', [], 'en'],
    ['zh-CN', ['en'], 'zh-CN'],
  ] as const)('%s with %j is %s', (choice, languages, expected) => {
    expect(resolveLocale(choice, languages)).toBe(expected);
  });
});

describe('formats', () => {
  const zh = createFormat('zh-CN');
  const en = createFormat('en');
  test('sizes', () => {
    expect(en.bytes(0)).toBe('0 bytes');
    expect(en.bytes(395_264)).toBe('386 kB');
    expect(en.bytes(4 * 1024 ** 3)).toBe('4 GB');
  });
  test('durations', () => {
    expect(en.duration(93_000)).toBe('1 min 33 sec');
    expect(zh.duration(93_000)).toBe('1 分钟 33 秒');
    expect(en.duration(3_600_000)).toBe('1 hr');
    expect(en.duration(-5)).toBe('0 sec');
  });
  test('learning rates stay short, and a lost number is a dash', () => {
    expect(en.scientific(2e-4)).toBe('2e-4');
    expect(en.scientific(0.05)).toBe('0.05');
    expect(en.scientific(512)).toBe('512');
    expect(en.loss(NaN)).toBe('–');
  });
});

describe('errors', () => {
  test('both languages know the same codes', () => {
    expect(Object.keys(enErrors)).toEqual(Object.keys(zhErrors));
  });

  test('a code becomes a sentence with its details', () => {
    const error = { code: 'diverged', message: 'loss is NaN', details: { step: 12 } };
    expect(explainError(error, 'en').sentence).toContain('at step 12');
    expect(explainError(error, 'zh-CN').sentence).toContain('第 12 步');
    expect(explainError(error, 'zh-CN').exact).toBe('loss is NaN');
  });

  test('a change that would make a run fit is worded by the labels of the form', () => {
    const error = {
      code: 'limit',
      message: 'step/slot 0 needs a buffer of 8 bytes, this GPU allows 4.',
      details: { suggestion: 'per_device_train_batch_size=2, max_length=128' },
    };
    expect(explainError(error, 'en').sentence).toMatch(/Rows per batch 2, Maximum length 128\.$/);
    expect(explainError(error, 'zh-CN').sentence).toContain(
      '把每批条数改为 2、把最大长度改为 128，就放得下',
    );
    expect(explainError({ ...error, code: 'out-of-memory' }, 'en').sentence).toMatch(
      /try these settings: Rows per batch 2/,
    );
    expect(explainError({ ...error, details: {} }, 'en').sentence).toBe(error.message);
    expect(explainError({ ...error, details: {} }, 'zh-CN').exact).toBe(error.message);
  });

  test('an unknown code keeps its own message, in Chinese behind a sentence', () => {
    const error = { code: 'brand-new', message: 'Row 3 is odd.' };
    expect(explainError(error, 'en')).toMatchObject({
      sentence: 'Row 3 is odd.',
      exact: undefined,
    });
    expect(explainError(error, 'zh-CN')).toMatchObject({ exact: 'Row 3 is odd.' });
    expect(explainError('text', 'en').sentence).toBe('text');
    expect(explainError(new DOMException('Stopped.', 'AbortError'), 'en').code).toBe('aborted');
  });

  /** Mistakes of the program itself: a person reads the general sentence and the exact message. */
  const INTERNAL = new Set(
    `plan shape dtype bad-path bad-graph bad-option bad-prompt bad-weight invalid-option bad-token-id
     unknown-method not-cloneable no-chat-template wrong-dtype`.split(/\s+/),
  );

  test('every code that a room can throw is in Chinese, or known to be internal', () => {
    const lib = fileURLToPath(new URL('../../src/lib', import.meta.url));
    const missing = readdirSync(lib)
      .filter((room) => readdirSync(join(lib, room)).includes('errors.ts'))
      .flatMap((room) => {
        const text = readFileSync(join(lib, room, 'errors.ts'), 'utf8');
        const union = /ErrorCode =([^;]*);/.exec(text)?.[1] ?? '';
        return [...union.matchAll(/'([a-z0-9-]+)'/g)].map(([, code]) => `${room}: ${code}`);
      })
      .filter((entry) => {
        const code = entry.split(': ')[1];
        return !(code in zhErrors) && !INTERNAL.has(code);
      });
    expect(missing).toEqual([]);
  });
});
