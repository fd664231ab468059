/**
 * Plan: what is kept comes back (the control); what is no JSON, of another shape, too much, or was under way
 * when the tab was closed is mended field by field or left out; a storage that refuses gives the fallback;
 * what an import brings is added, follows the ids of copies, and replaces nothing.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { adoptKeepings, collectKeepings } from '../../src/lib/state/keepings';
import {
  DEFAULT_GENERATION,
  KEPT_TURNS,
  shapeChat,
  shapeRequests,
  shapeSettings,
} from '../../src/lib/state/local-shapes';
import { readLocal, readSaved, writeLocal } from '../../src/lib/state/local-store';
import { recallRequest, rememberRequest } from '../../src/lib/state/remembered-requests';

let store: Map<string, string>;

beforeEach(() => {
  store = new Map();
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => store.get(key) ?? null,
    setItem: (key: string, text: string) => store.set(key, text),
  });
});
afterEach(() => vi.unstubAllGlobals());

const SETTINGS = { locale: 'en', theme: 'night', logAxis: true } as const;
const result = {
  ...{ text: 'a', promptTokens: 1, newTokens: 2, firstTokenMs: 3, tokensPerSecond: 4 },
  stoppedBy: 'end',
} as const;
const turn = (id: number, question = 'q') => ({
  id,
  question,
  answers: { base: { text: 'a', state: 'done' as const, result, adapterId: 'adapter-1' } },
});
const chatOf = (turns: unknown) => ({ turns, system: 's', generation: DEFAULT_GENERATION });

describe('what is kept', () => {
  test('comes back as it was: the control', () => {
    writeLocal('settings', SETTINGS);
    writeLocal('chat', { ...chatOf([turn(1), turn(2)]), modelId: 'm' });
    rememberRequest('run-1', { evalShare: 0.2, samplePrompts: ['p'], sampleEvery: 5 });
    expect(readLocal('settings', shapeSettings, { ...SETTINGS, theme: 'light' })).toEqual(SETTINGS);
    expect(readSaved('chat', shapeChat)).toEqual({
      ...chatOf([turn(1), turn(2)]),
      ...{ modelId: 'm', adapterId: undefined },
    });
    expect(recallRequest('run-1')).toEqual({
      evalShare: 0.2,
      samplePrompts: ['p'],
      sampleEvery: 5,
    });
  });

  test.each(['', '{', 'null', '7', '"x"', '[]', '[[[', '{"turns":7}', '{"__proto__":{"theme":1}}'])(
    'and says %j is nothing, or defaults',
    (text) => {
      for (const key of ['settings', 'chat', 'requests']) store.set(`inkstone.${key}`, text);
      const untouched = { locale: 'system', theme: 'system', logAxis: false } as const;
      expect(readLocal('settings', shapeSettings, untouched)).toEqual(untouched);
      expect(readLocal('chat', shapeChat, { ...chatOf([]), turns: [] }).turns).toEqual([]);
      expect(recallRequest('run-1')).toBeUndefined();
      rememberRequest('run-1', { evalShare: 0, samplePrompts: [] });
      expect(recallRequest('run-1')).toBeDefined();
      expect(({} as { theme?: unknown }).theme).toBeUndefined();
    },
  );

  test('settings: a theme or a language that is none is as the system has it', () => {
    expect(shapeSettings({ theme: 'neon', locale: '<b>', logAxis: 'yes' })).toEqual({
      locale: 'system',
      theme: 'system',
      logAxis: false,
    });
    expect(shapeSettings({ theme: 'night', locale: 3 })?.theme).toBe('night');
  });

  test('conversation: turns that are none go, ids become different, what was under way has stopped', () => {
    const chat = shapeChat({
      turns: [
        null,
        { question: 1, answers: {} },
        { ...turn(5), answers: { base: { text: 'half', state: 'running' } } },
        {
          ...turn(5),
          answers: { base: { text: 3 }, other: { text: 'x' }, tuned: turn(1).answers.base },
        },
        { id: 'x', question: 'q', answers: [] },
      ],
      modelId: { toString: 'x' },
      generation: { max_new_tokens: 1e9, temperature: 'hot', top_p: 0.5, seed: 1.5, top_k: null },
    })!;
    expect(chat.turns.map(({ id }) => id)).toEqual([1, 2, 3]);
    expect(chat.turns[0].answers.base).toEqual({ text: 'half', state: 'stopped' });
    expect(Object.keys(chat.turns[1].answers)).toEqual(['tuned']);
    expect(chat).toMatchObject({ system: '', modelId: undefined });
    expect(chat.generation).toEqual({ ...DEFAULT_GENERATION, top_p: 0.5 });
    const many = Array.from({ length: KEPT_TURNS + 5 }, (_, i) => turn(i, `q${i}`));
    expect(shapeChat({ turns: many })!.turns.at(0)?.question).toBe('q5');
  });

  test('requests: entries that are none go, shares are shares', () => {
    const good = ['run-1', { evalShare: 0.1, samplePrompts: ['p', 7] }];
    expect(
      shapeRequests([
        good,
        ['run-2', { evalShare: 9 }],
        ['run-3', null],
        [4, {}],
        'run-5',
        ['run-6', { evalShare: 0, evalDatasetId: 8 }],
      ]),
    ).toEqual([
      ['run-1', { evalShare: 0.1, samplePrompts: ['p'] }],
      ['run-6', { evalShare: 0, samplePrompts: [] }],
    ]);
  });

  test('a storage that refuses gives the fallback and takes a write in silence', () => {
    const refuse = () => {
      throw new DOMException('denied', 'SecurityError');
    };
    vi.stubGlobal('localStorage', { getItem: refuse, setItem: refuse });
    expect(readLocal('settings', shapeSettings, SETTINGS)).toBe(SETTINGS);
    expect(() => writeLocal('settings', SETTINGS)).not.toThrow();
  });
});

describe('what an import brings', () => {
  const page = {
    settings: SETTINGS,
    chat: { ...chatOf([turn(1)]), modelId: 'model-1', adapterId: 'adapter-1-step-4' },
    requests: [
      ['run-1', { evalShare: 0.1, evalDatasetId: 'data-1', samplePrompts: [] }],
      ['run-2', { evalShare: 0.3, samplePrompts: [] }],
    ],
  };

  test('is what an export collected', () => {
    for (const [key, value] of Object.entries(page)) writeLocal(key, value);
    expect(JSON.parse(JSON.stringify(collectKeepings()))).toEqual(page);
  });

  test('is taken where nothing is, and follows the ids of copies', () => {
    const newIds = { 'run-1': 'run-9', 'data-1': 'data-9', 'model-1': 'model-9' };
    const { settings, chat } = adoptKeepings(page, newIds);
    expect(settings).toEqual(SETTINGS);
    expect(chat).toMatchObject({ modelId: 'model-9', adapterId: 'adapter-9-step-4' });
    expect(chat?.turns[0].answers.base?.adapterId).toBe('adapter-9');
    expect(recallRequest('run-9')).toMatchObject({ evalShare: 0.1, evalDatasetId: 'data-9' });
    expect(recallRequest('run-1')).toBeUndefined();
  });

  test('replaces no choice and no request that is here', () => {
    writeLocal('settings', { ...SETTINGS, theme: 'light' });
    rememberRequest('run-2', { evalShare: 0, samplePrompts: ['mine'] });
    expect(adoptKeepings(page, {}).settings).toBeUndefined();
    expect(recallRequest('run-2')).toEqual({ evalShare: 0, samplePrompts: ['mine'] });
    expect(recallRequest('run-1')).toBeDefined();
  });

  test('may be anything at all', () => {
    for (const hostile of [{}, { settings: 1, chat: [], requests: {} }, { chat: { turns: [[]] } }])
      expect(adoptKeepings(hostile, {}).settings).toBeUndefined();
  });
});
