/**
 * A file with everything in it, as a stranger may have made it: entries changed under a manifest that
 * agrees, the manifest itself, and the bytes of the zip. What is accepted is what this version writes.
 */
import { createHash } from 'node:crypto';
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { COMMON_RECIPE } from '$lib/config';
import { Fields } from '$lib/config/fields';
import type { Xoshiro128 } from '$lib/config/random';
import { readEntries } from '$lib/engine/archive-manifest';
import { folderOfItem, isIdOf } from '$lib/engine/archive-layout';
import { readItems } from '$lib/engine/archive-plan';
import { readRecord } from '$lib/engine/archive-records';
import { readRowLines } from '$lib/engine/archive-rows';
import { openZip, type DatasetRow } from '$lib/formats';
import { fuzzParser } from './fuzz-parser';
import { chance, pick } from './hostile';
import { mutateBytes } from './mutate-bytes';
import { mutateJson } from './mutate-json';
import { mutateText } from './mutate-text';

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const json = (value: unknown) => encode(JSON.stringify(value));

const base = { schemaVersion: 1, createdAt: 1, modelId: 'nano-lm', datasetId: 'data-1' };
const peft = COMMON_RECIPE.lora;
const run = {
  ...{ ...base, id: 'run-1', name: 'r', evalShare: 0.1, status: 'stopped', step: 2, totalSteps: 4 },
  ...{ trainableParams: 3, allParams: 9, peft, training: COMMON_RECIPE.training, elapsedMs: 1.5 },
  log: [
    { step: 1, epoch: 0.5, loss: 2, grad_norm: null, learning_rate: 0.1 },
    { step: 2, epoch: 1, eval_loss: 1, eval_mean_token_accuracy: 0.5 },
  ],
  samples: [{ step: 2, prompt: 'p', text: 't' }],
  error: { code: 'full', message: 'm' },
  savedAt: { '2': 5 },
};
const CHECKPOINT = ['adapter_config.json', 'adapter_model.safetensors', 'trainer_state.json'];
const mark = (folder: string) =>
  [...CHECKPOINT, 'complete'].map((name) => [`${folder}/${name}`, encode('x')] as const);
const rows: DatasetRow[] = [
  { kind: 'instruction', instruction: 'i', input: '', output: 'o' },
  {
    kind: 'chat',
    messages: [
      { role: 'assistant', content: '旧', noLoss: 'weight' },
      { role: 'assistant', content: '答' },
    ],
  },
  { kind: 'tokens', inputIds: [1, 2], labels: [-100, 2] },
];

const ENTRIES: readonly (readonly [string, Uint8Array])[] = [
  ['page.json', json({ settings: { theme: 'night' } })],
  [
    'models/model-1/record.json',
    json({
      ...{ id: 'model-1', name: 'm', origin: 'merged', architecture: 'LlamaForCausalLM' },
      ...{ parameterCount: 9, sizeBytes: 2, licence: '', languages: ['zh'], schemaVersion: 1 },
    }),
  ],
  ['models/model-1/files/config.json', encode('{}')],
  ['models/model-1/files/tokenizer.json', encode('{}')],
  [
    'datasets/data-1/record.json',
    json({
      ...{ id: 'data-1', name: 'd', schema: 'alpaca', rowCount: 3, hash: 'a', createdAt: 1 },
      ...{ origin: 'imported', schemaVersion: 1 },
    }),
  ],
  ['datasets/data-1/rows.jsonl', encode(rows.map((row) => `${JSON.stringify(row)}\n`).join(''))],
  ['runs/run-1/record.json', json(run)],
  ...mark('runs/run-1/files/checkpoint-2'),
  [
    'adapters/adapter-2-step-4/record.json',
    json({
      ...{ ...base, id: 'adapter-2-step-4', name: 'a', origin: 'trained', peft, sizeBytes: 2 },
      ...{ runId: 'run-2', step: 4 },
    }),
  ],
  ...mark('adapters/adapter-2-step-4/files'),
  [
    'evaluations/evaluation-1/record.json',
    json({
      ...{ ...base, id: 'evaluation-1' },
      scores: [
        {
          ...{ adapterId: 'adapter-1-step-2', adapterName: 'r', adapterStep: 2, accuracy: 1 },
          ...{ rougeL: null, tokensPerSecond: 3, gpuBytes: 4, count: 1 },
        },
      ],
      rows: [{ instruction: 'i', input: '', reference: 'r', answers: ['a'] }],
    }),
  ],
];

type Entries = readonly (readonly [string, Uint8Array])[];

function zip(entries: Entries, manifest = manifestOf(entries)): Uint8Array {
  return zipSync(Object.fromEntries([...entries, ['inkstone.json', encode(manifest)]]), {
    level: 0,
  });
}

function manifestOf(entries: Entries): string {
  const files = entries.map(([path, bytes]) => ({
    path,
    sizeBytes: bytes.byteLength,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  }));
  return JSON.stringify({ kind: 'inkstone-archive', version: 1, createdAt: '', files });
}

const SAMPLE = zip(ENTRIES);

function mutate(random: Xoshiro128): Uint8Array {
  if (chance(random, 8)) return mutateBytes(random, SAMPLE);
  if (chance(random, 6)) return zip(ENTRIES, mutateJson(random, JSON.parse(manifestOf(ENTRIES))));
  const [path, bytes] = pick(random, ENTRIES);
  const others = ENTRIES.filter(([other]) => other !== path);
  if (chance(random, 12)) return zip(others);
  if (chance(random, 8))
    return zip([...others, [mutateText(random, path).slice(0, 2000) || 'x', bytes]]);
  const changed =
    path.endsWith('.json') && !chance(random, 8)
      ? mutateJson(random, JSON.parse(path.includes('/files/') ? '{}' : decode(bytes)))
      : mutateText(random, decode(bytes));
  return zip([...others, [path, encode(changed)]]);
}

describe('hostile archives', () => {
  it('are refused by code or hold whole items, each as this version would write it', async () => {
    const counts = await fuzzParser({
      title: 'archive',
      samples: [SAMPLE],
      mutate: (random) => mutate(random),
      async parse(bytes) {
        const zipped = await openZip(new Blob([bytes as Uint8Array<ArrayBuffer>]));
        const { items, page } = await readItems(await readEntries(zipped, 'a.zip'), 'a.zip');
        const found: DatasetRow[] = [];
        for (const item of items) {
          for (const file of item.files.values()) for await (const chunk of file.read()) void chunk;
          if (!item.rows) continue;
          for await (const row of readRowLines(item.rows.read(), item.rows.path)) found.push(row);
        }
        return { items, page, rows: found };
      },
      check({ items, page, rows: found }) {
        expect(typeof page).toBe('object');
        for (const row of found) expect(Object.keys(row).length).toBeGreaterThan(1);
        for (const { kind, id, record, files } of items) {
          expect(isIdOf(kind, id) && record.id === id).toBe(true);
          const again = new Fields(
            JSON.parse(JSON.stringify(record)) as Record<string, unknown>,
            '',
          );
          expect(readRecord(kind, id, again)).toEqual(record);
          const folder = folderOfItem(kind, record);
          expect(folder).toMatch(/^(models|runs|adapters)\/[\w-]+(\/checkpoint-\d+)?$/);
          for (const name of files.keys())
            expect(name.split('/')).not.toEqual(expect.arrayContaining(['..']));
        }
        expect(new Set(items.map(({ kind, id }) => `${kind}/${id}`)).size).toBe(items.length);
      },
    });
    expect(counts.accepted).toBeGreaterThan(500);
    expect(Object.keys(counts.refused)).toEqual(
      expect.arrayContaining([
        ...['wrong-archive', 'newer-archive', 'wrong-type', 'out-of-range', 'not-json'],
        ...['missing-field', 'unsafe-name', 'corrupt'],
      ]),
    );
  });
});
