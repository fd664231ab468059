/**
 * Plan: conversations in the spellings that files have. Alpaca's system text and history, LLaMA-Factory's way; a
 * system column beside turns; either pair of keys; TRL's lists of messages as prompt and completion; parts of
 * text; lists in cells of a table. Answers that are not learned from: those of weight 0 or train false, and those
 * within a prompt. What cannot be learned from is a problem with its row and field, and a row
 * beside it that can is the control. Nothing that a turn holds goes unread without a word.
 */
import { describe, expect, it } from 'vitest';
import { applyMapping, mappingOf, MAX_TURNS, readDataset, suggestMapping } from '$lib/formats';

const readJson = (rows: unknown) => readDataset(JSON.stringify(rows), { fileName: 'data' });
const alpaca = { instruction: '翻译', input: 'sea', output: '海' };
const system = { role: 'system', content: '你是助手' };
const user = { role: 'user', content: 'a' };
const assistant = { role: 'assistant', content: 'b' };

/** The one row that is read from `record`, as turns. */
function turnsOf(record: object): string[] {
  const { rows, problems, unusedColumns } = readJson([record]);
  expect(problems).toEqual([]);
  expect(unusedColumns).toEqual([]);
  expect(rows).toHaveLength(1);
  const [row] = rows;
  if (row.kind !== 'chat') throw new Error(`the row is of kind ${row.kind}`);
  return row.messages.map(({ role, content }) => `${role}: ${content}`);
}

/** The one complaint of `bad`, beside `good`, which must be read. */
function problemOf(bad: object, good: object = { messages: [user, assistant] }): string {
  const { rows, problems } = readJson([good, bad]);
  expect(rows).toHaveLength(1);
  expect(problems).toHaveLength(1);
  const { row, field, kind, found } = problems[0];
  expect(row).toBe(2);
  return `${field} ${kind}: ${found}`;
}

describe('Alpaca with more than a question', () => {
  const history = [
    ['你好', '你好！'],
    ['天气？', '晴'],
  ];

  it('becomes a conversation: system text, earlier turns, question with its input, answer', () => {
    expect(turnsOf({ ...alpaca, system: '你是译员', history })).toEqual([
      'system: 你是译员',
      'user: 你好',
      'assistant: 你好！',
      'user: 天气？',
      'assistant: 晴',
      'user: 翻译\nsea',
      'assistant: 海',
    ]);
    expect(turnsOf({ ...alpaca, input: '', system: '你是译员' })).toEqual([
      'system: 你是译员',
      'user: 翻译',
      'assistant: 海',
    ]);
    expect(turnsOf({ ...alpaca, history: [['a', 'b']] })).toHaveLength(4);
  });

  it('stays an instruction where neither says anything', () => {
    for (const more of [{}, { system: '' }, { system: null, history: [] }, { history: '' }]) {
      const { rows, problems } = readJson([{ ...alpaca, ...more }]);
      expect(rows).toEqual([{ kind: 'instruction', ...alpaca }]);
      expect(problems).toEqual([]);
    }
  });

  it('names what is wrong in the history', () => {
    const of = (value: unknown) => problemOf({ ...alpaca, history: value }, { ...alpaca, history });
    expect(of([['a', 'b'], ['a']])).toBe('history[1] not-a-pair: ["a"]');
    expect(of(['a'])).toBe('history[0] not-a-pair: "a"');
    expect(of([[1, 'b']])).toBe('history[0][0] wrong-type: a number: 1');
    expect(of([['a', null]])).toBe('history[0][1] wrong-type: null: null');
    expect(of([['a', ' ']])).toBe('history[0][1] empty-output: " "');
    expect(of('earlier')).toBe('history wrong-type: text: "earlier"');
    expect(of({ a: 1 })).toBe('history wrong-type: an object: an object');
    const many = (length: number) => Array.from({ length }, () => ['a', 'b']);
    expect(of(many(MAX_TURNS / 2 + 1))).toBe('history too-many-turns: 1001 of 1000');
    expect(turnsOf({ ...alpaca, history: many(MAX_TURNS / 2) })).toHaveLength(MAX_TURNS + 2);
    expect(problemOf({ ...alpaca, system: 1 }, alpaca)).toBe('system wrong-type: a number: 1');
  });
});

describe('turns', () => {
  it('have a system column before them, said once where the first turn says the same', () => {
    const said = ['system: 你是助手', 'user: a', 'assistant: b'];
    expect(turnsOf({ messages: [user, assistant], system: '你是助手' })).toEqual(said);
    expect(turnsOf({ messages: [system, user, assistant], system: '你是助手' })).toEqual(said);
    expect(turnsOf({ messages: [system, user, assistant], system: '' })).toEqual(said);
    expect(problemOf({ messages: [system, user, assistant], system: 'be brief' })).toBe(
      'messages[0] system-twice: "你是助手"',
    );
  });

  it('have either pair of keys, under either name', () => {
    const human = { from: 'human', value: 'a' };
    const gpt = { from: 'gpt', value: 'b' };
    for (const field of ['messages', 'conversations'])
      for (const turns of [
        [user, assistant],
        [human, gpt],
        [human, assistant],
        // As a table of both kinds is written: the keys of the other kind are there and hold nothing.
        [
          { ...user, from: null, value: null },
          { ...gpt, role: null, content: null },
        ],
      ])
        expect(turnsOf({ [field]: turns })).toEqual(['user: a', 'assistant: b']);
    expect(problemOf({ messages: [human, { from: 'gpt' }] })).toBe(
      'messages[1].value missing-field: nothing',
    );
    expect(problemOf({ messages: [human, { speaker: 'gpt' }] })).toBe(
      'messages[1].role unknown-role: nothing',
    );
  });

  it('are joined from prompt and completion where these are lists of messages', () => {
    const prompt = [system, user];
    expect(turnsOf({ prompt, completion: [assistant] })).toEqual([
      'system: 你是助手',
      'user: a',
      'assistant: b',
    ]);
    expect(turnsOf({ prompt: [user], completion: [assistant], system: 's' })).toHaveLength(3);
    expect(turnsOf({ prompt: 'a', completion: 'b', system: 's' })).toHaveLength(3);
    const of = (row: object) => problemOf(row, { prompt, completion: [assistant] });
    expect(of({ prompt, completion: [user] })).toBe(
      'completion no-answer: 1 turns without an assistant',
    );
    expect(of({ prompt, completion: 'b' })).toBe('completion wrong-type: text: "b"');
    expect(of({ prompt: 'a', completion: [assistant] })).toBe('prompt wrong-type: text: "a"');
    expect(of({ prompt, completion: [] })).toBe('completion empty-field: []');
    expect(of({ prompt })).toBe('completion missing-field: nothing');
  });

  it('hold parts of text, which are joined, and no other parts', () => {
    const part = (text: string) => ({ type: 'text', text, image_url: null });
    const asked = (...content: unknown[]) => ({ messages: [{ role: 'user', content }, assistant] });
    expect(turnsOf(asked(part('a'), part('b')))).toEqual(['user: ab', 'assistant: b']);
    expect(turnsOf(asked('a', { text: 'c' }))).toEqual(['user: ac', 'assistant: b']);
    expect(problemOf(asked(part('a'), { type: 'image_url', image_url: {} }))).toBe(
      'messages[0].content[1] not-text: "image_url"',
    );
    expect(problemOf(asked({ type: 'text', text: 1 }))).toBe(
      'messages[0].content[0].text wrong-type: a number: 1',
    );
    expect(problemOf(asked(1))).toBe('messages[0].content[0] wrong-type: a number: 1');
    expect(problemOf({ messages: [user, { role: 'assistant', content: [] }] })).toBe(
      'messages[1].content empty-output: []',
    );
  });

  it('that call a tool are complained of as such; a call that is not there is no call', () => {
    const call = { role: 'assistant', content: null, tool_calls: [{ id: '1' }] };
    const none = { ...assistant, tool_calls: [], function_call: null };
    expect(turnsOf({ messages: [user, none] })).toHaveLength(2);
    expect(problemOf({ messages: [user, call] })).toBe(
      'messages[1].tool_calls tool-call: [{"id":"1"}]',
    );
    expect(problemOf({ messages: [user, { ...call, content: 'b' }] })).toMatch(/ tool-call: /);
    expect(problemOf({ messages: [user, { ...assistant, function_call: { name: 'f' } }] })).toBe(
      'messages[1].function_call tool-call: an object',
    );
    expect(problemOf({ messages: [user, { from: 'function_call', value: '{}' }] })).toBe(
      'messages[1].from tool-call: "function_call"',
    );
  });

  it('are at most so many', () => {
    const turns = (count: number) =>
      Array.from({ length: count }, (_, i) => (i % 2 === 0 ? user : assistant));
    expect(turnsOf({ messages: turns(MAX_TURNS) })).toHaveLength(MAX_TURNS);
    expect(problemOf({ messages: turns(MAX_TURNS + 1) })).toBe(
      'messages too-many-turns: 2001 of 2000',
    );
  });

  it('are read from the cells of a table, where these hold JSON', () => {
    const read = (cell: string) =>
      readDataset(`id;messages\n1;"${cell.replaceAll('"', '""')}"\n`, { fileName: 'data' });
    expect(read(JSON.stringify([user, assistant])).rows).toEqual([
      { kind: 'chat', messages: [user, assistant] },
    ]);
    for (const cell of ["[{'role': 'user'}]", '[', `${'['.repeat(100_000)}`, '{}'])
      expect(read(cell).problems).toMatchObject([
        { row: 1, field: 'messages', kind: 'wrong-type' },
      ]);
  });

  it('say which of their fields are not read, each once and not without end', () => {
    const turn = { ...user, name: 'Li' };
    expect(readJson([{ id: 1, messages: [turn, turn, assistant] }]).unusedColumns).toEqual([
      'id',
      'messages[].name',
    ]);
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`key${i}`, i]));
    const long = { ...user, ['k'.repeat(5000)]: 1, ...many };
    const unused = readJson([{ messages: [long, assistant] }]).unusedColumns;
    expect(unused).toHaveLength(100);
    expect(Math.max(...unused.map((name) => name.length))).toBeLessThan(200);
  });
});

describe('answers that are not learned from', () => {
  /** Answers of the one row, each with why it bears no loss. */
  function answersOf(record: object): string[] {
    const { rows, problems, unusedColumns } = readJson([record]);
    expect([problems, unusedColumns]).toEqual([[], []]);
    const [row] = rows;
    if (row.kind !== 'chat') throw new Error(`the row is of kind ${row.kind}`);
    return row.messages
      .filter(({ role }) => role === 'assistant')
      .map(({ content, noLoss }) => (noLoss ? `${content}: ${noLoss}` : content));
  }
  const told = (content: string, more: object = {}) => ({ role: 'assistant', content, ...more });

  it('are those of weight 0; those of weight 1 are learned as those without', () => {
    const messages = [user, told('b', { weight: 0 }), user, told('c', { weight: 1 }), user];
    expect(answersOf({ messages: [...messages, told('d')] })).toEqual(['b: weight', 'c', 'd']);
    expect(answersOf({ messages: [...messages, told('d', { weight: null })] })).toHaveLength(3);
    expect(readJson([{ messages: [user, told('b', { weight: 1 })] }]).rows).toEqual([
      { kind: 'chat', messages: [user, assistant] },
    ]);
  });

  it.each(['train', 'training', 'loss'])('are those of %s false, in either spelling', (flag) => {
    for (const conversations of [
      [user, told('b', { [flag]: false }), user, told('c', { [flag]: true })],
      [
        { from: 'human', value: 'a', [flag]: null },
        { from: 'gpt', value: 'b', [flag]: false },
        { from: 'human', value: 'a', [flag]: false },
        { from: 'gpt', value: 'c' },
      ],
    ])
      expect(answersOf({ conversations })).toEqual(['b: weight', 'c']);
    // Of another type it is a field like any other.
    expect(readJson([{ messages: [user, told('b', { [flag]: 0.5 })] }])).toMatchObject({
      rows: [{ kind: 'chat', messages: [user, assistant] }],
      unusedColumns: [`messages[].${flag}`],
    });
  });

  it('have a weight of 0 or 1 and no other', () => {
    for (const [weight, found] of [
      [0.5, '0.5'],
      [2, '2'],
      [-1, '-1'],
      ['0', '"0"'],
      [false, 'false'],
    ] as const)
      expect(problemOf({ messages: [user, told('b', { weight }), user, assistant] })).toBe(
        `messages[1].weight wrong-weight: ${found}`,
      );
  });

  it('are not all there is', () => {
    const masked = {
      messages: [user, told('b', { weight: 0 }), user, told('c', { train: false })],
    };
    expect(problemOf(masked)).toBe('messages no-weight: 2 of weight 0');
    const prompt = [user];
    const bad = { prompt, completion: [told('b', { weight: 0 })] };
    expect(problemOf(bad, { prompt, completion: [assistant] })).toBe(
      'completion no-weight: 1 of weight 0',
    );
  });

  it('are those within a prompt: only the completion is learned', () => {
    const prompt = [user, told('b'), user, told('c', { weight: 0 }), user];
    expect(answersOf({ prompt, completion: [told('d'), user, told('e')] })).toEqual([
      'b: prompt',
      'c: weight',
      'd',
      'e',
    ]);
    // The control: as one list of messages every answer is.
    expect(answersOf({ messages: [user, told('b'), user, told('d')] })).toEqual(['b', 'd']);
  });

  it('leave other turns as they are, and who asks for loss on those is told', () => {
    const rows = (more: object) => readJson([{ messages: [{ ...user, ...more }, assistant] }]);
    expect(rows({ weight: 0, train: false })).toMatchObject({
      rows: [{ kind: 'chat', messages: [user, assistant] }],
      unusedColumns: [],
    });
    expect(rows({ weight: 1, train: true }).unusedColumns).toEqual([
      'messages[].weight',
      'messages[].train',
    ]);
    expect(rows({ weight: 7 })).toMatchObject({
      problems: [],
      unusedColumns: ['messages[].weight'],
    });
  });
});

describe('mapping of conversations', () => {
  it('is suggested with the system text and the history', () => {
    expect(suggestMapping(['系统提示', '历史', '问题', '回答'])).toEqual({
      instruction: '问题',
      output: '回答',
      system: '系统提示',
      history: '历史',
    });
    expect(suggestMapping(['dialogue', 'System Prompt'])).toEqual({
      messages: 'dialogue',
      system: 'System Prompt',
    });
  });

  it('reads them from columns of any name, in either spelling', () => {
    const dialogue = [
      { from: 'human', value: 'a' },
      { from: 'gpt', value: 'b', name: 'x' },
    ];
    const records = [{ dialogue, rules: 's', id: 1 }];
    const mapped = applyMapping(records, { messages: 'dialogue', system: 'rules' });
    expect(mapped.rows).toEqual([
      { kind: 'chat', messages: [{ role: 'system', content: 's' }, user, assistant] },
    ]);
    expect(mapped.unusedColumns).toEqual(['id', 'messages[].name']);
    const asked = applyMapping([{ q: 'a', a: 'b', before: [['c', 'd']] }], {
      ...{ instruction: 'q', output: 'a', history: 'before' },
    });
    expect(asked.rows[0]).toMatchObject({ kind: 'chat' });
  });

  it('is told for a form that is known: what was read, and no more', () => {
    const { schema, columns } = readJson([{ ...alpaca, system: 's', id: 1 }]);
    expect(mappingOf(schema, columns)).toEqual({
      instruction: 'instruction',
      input: 'input',
      output: 'output',
      system: 'system',
    });
    expect(mappingOf('unknown', columns)).toEqual({});
  });
});
