/** For files whose columns have other names: guessing which column is which, and applying a choice. */
import { describeValue } from '../describe';
import { FormatError } from '../errors';
import { detectSchema, listColumns, mapRows } from './map-rows';
import type { DatasetRecord, FieldMapping, MappedDataset } from './types';

type Field = keyof FieldMapping;

const FIELDS: readonly Field[] = [
  'instruction',
  'input',
  'output',
  'prompt',
  'completion',
  'messages',
  'conversations',
  'system',
  'history',
  'text',
  'input_ids',
  'labels',
];

/** In order of preference: the first column that matches an earlier word wins. */
const SYNONYMS: Partial<Record<Field, readonly string[]>> = {
  instruction: [
    ...['instruction', 'instructions', 'question', 'prompt', 'query', 'ask', 'q', 'user', 'human'],
    ...[
      'problem',
      'task',
      'source',
      '指令',
      '问题',
      '提问',
      '提示',
      '提示词',
      '问',
      '题目',
      '用户',
    ],
  ],
  input: ['input', 'context', 'passage', 'inputs', '输入', '上下文', '背景', '材料', '原文'],
  output: [
    ...['output', 'answer', 'response', 'completion', 'reply', 'target', 'outputs', 'answers', 'a'],
    ...['solution', 'assistant', 'gpt', 'label', 'summary', 'translation'],
    ...['输出', '回答', '答案', '回复', '答', '答复', '结果', '译文', '摘要'],
  ],
  system: ['system', 'systemprompt', 'systemmessage', '系统', '系统提示', '系统提示词'],
  history: ['history', '历史', '历史对话'],
  messages: ['messages', 'dialogue', 'dialog', 'chat', '对话', '消息'],
  conversations: ['conversations', 'conversation', '会话'],
  // Without the underscores, which do not count.
  input_ids: ['inputids', 'tokenids', 'ids', '词元编号'],
  labels: ['labels', 'labelids', 'targetids', '标签'],
  text: ['text', 'content', 'document', 'sentence', 'body', '文本', '内容', '正文', '句子'],
};

/**
 * The most likely meaning of the columns, each column used once; empty where nothing fits. An input
 * without an instruction but with an output is taken as the instruction.
 */
export function suggestMapping(columns: readonly string[]): FieldMapping {
  const free = new Map(columns.map((name) => [normalise(name), name]));
  const take = (field: Field): string | undefined => {
    const word = SYNONYMS[field]?.find((synonym) => free.has(synonym));
    if (word === undefined) return undefined;
    const column = free.get(word);
    free.delete(word);
    return column;
  };
  const output = take('output');
  const instruction = output === undefined ? undefined : take('instruction');
  const input = output === undefined ? undefined : take('input');
  if (output !== undefined && (instruction ?? input) !== undefined) {
    return present({
      instruction: instruction ?? input,
      input: instruction === undefined ? undefined : input,
      output,
      system: take('system'),
      history: take('history'),
    });
  }
  for (const field of ['messages', 'conversations'] as const) {
    const column = take(field);
    if (column !== undefined) return present({ [field]: column, system: take('system') });
  }
  const text = take('text');
  if (text !== undefined) return { text };
  const input_ids = take('input_ids');
  return input_ids === undefined ? {} : present({ input_ids, labels: take('labels') });
}

const present = (mapping: FieldMapping): FieldMapping =>
  Object.fromEntries(Object.entries(mapping).filter(([, column]) => column !== undefined));

/** Reads the records as if each mapped column had our field's name. Other columns count as unused. */
export function applyMapping(
  records: readonly DatasetRecord[],
  mapping: FieldMapping,
): MappedDataset {
  const columns = listColumns(records);
  const pairs = Object.entries(mapping).filter(([, column]) => column !== undefined);
  for (const [field, column] of pairs) {
    if (!FIELDS.includes(field as Field)) {
      throw new FormatError(
        'invalid-value',
        `no row has a field ${describeValue(field)}; ${FIELDS.join(', ')} are allowed.`,
      );
    }
    if (!columns.includes(column)) {
      throw new FormatError(
        'not-found',
        `the dataset has no column ${describeValue(column)}; it has ${columns.slice(0, 20).map(describeValue).join(', ')}.`,
      );
    }
  }
  const schema = detectSchema(pairs.map(([field]) => field));
  if (schema === 'unknown') {
    throw new FormatError(
      'invalid-value',
      `the mapping gives ${pairs.map(([field]) => field).join(', ') || 'nothing'}; instruction and output, prompt and completion, messages, conversations, text or input_ids are needed.`,
    );
  }
  const renamed = records.map((record) =>
    Object.fromEntries(
      pairs
        .filter(([, column]) => Object.hasOwn(record, column))
        .map(([field, column]) => [field, record[column]]),
    ),
  );
  const mapped = mapRows(renamed, [], schema);
  const used = new Set(pairs.map(([, column]) => column));
  const unusedColumns = [...columns.filter((name) => !used.has(name)), ...mapped.unusedColumns];
  return { ...mapped, unusedColumns };
}

const normalise = (name: string): string =>
  name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s_\-:：]/g, '');
