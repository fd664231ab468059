/**
 * Plan: what the tables hold comes out of a file as it went in, whatever optional parts it has. The records
 * below have every field there is, by their types: a new one that no reader knows does not compile here.
 */
import { describe, expect, it } from 'vitest';
import { COMMON_RECIPE } from '$lib/config';
import { Fields } from '$lib/config/fields';
import { KINDS } from '$lib/engine/archive-layout';
import { readRecord, type RecordOf } from '$lib/engine/archive-records';
import { readRowLines, writeRowLines } from '$lib/engine/archive-rows';
import type { DatasetRow } from '$lib/formats';
import type { ArchiveKind, RunProvenance } from '$lib/rpc/engine-api';

const peft = COMMON_RECIPE.lora;
const modelId = 'model-1';
const datasetId = 'data-1';

const provenance: Required<RunProvenance> = {
  devices: [
    {
      ...{ backend: 'webgpu', adapterName: 'g', isSoftwareAdapter: false, f16: true },
      ...{ subgroups: false, maxBufferBytes: 9 },
    },
  ],
  model: {
    ...{ name: 'm', architecture: 'Qwen3ForCausalLM', parameterCount: 9, licence: 'MIT' },
    ...{ revision: 'abc', weightsHash: 'def' },
  } satisfies Required<RunProvenance['model']>,
  dataset: { name: 'd', schema: 'alpaca', rowCount: 3, hash: 'a' },
  evalDataset: { name: 'e', schema: 'text', rowCount: 1, hash: 'b' },
};

type Whole = { [Kind in ArchiveKind]: Required<RecordOf[Kind]> };

const RECORDS: Omit<Whole, 'runs'> & { runs: Omit<Whole['runs'], 'adapterId'> } = {
  models: {
    ...{ id: 'model-1', name: 'm', origin: 'merged', present: true, schemaVersion: 1 },
    ...{ architecture: 'Qwen3ForCausalLM', parameterCount: 9, sizeBytes: 2, licence: 'MIT' },
    ...{ languages: ['zh', 'en'], revision: 'abc', weightsHash: 'def' },
  },
  datasets: {
    ...{ id: 'data-1', name: 'd', schema: 'alpaca', rowCount: 3, hash: 'a', createdAt: 1 },
    ...{ origin: 'imported', schemaVersion: 1 },
  },
  runs: {
    ...{ id: 'run-1', name: 'r', modelId, datasetId, evalShare: 0.1, evalDatasetId: 'data-2' },
    leaveOut: ['duplicates', 'empty', 'cut', 'leaked'],
    startedFrom: { adapterId: 'adapter-2-step-4', name: 'before', step: 4 },
    ...{ status: 'interrupted', createdAt: 1, step: 2, totalSteps: 4, trainableParams: 3 },
    ...{ allParams: 9, peft, training: COMMON_RECIPE.training, elapsedMs: 1.5, bestStep: 2 },
    ...{ tokenCount: 7, peakGpuBytes: 8, provenance },
    log: [
      { step: 1, epoch: 0.5, loss: NaN, grad_norm: 1, learning_rate: 0.1, tokens_per_second: 9.5 },
      { step: 1, epoch: 0.5, eval_loss: 2 },
      { step: 2, epoch: 1, eval_loss: 1, eval_mean_token_accuracy: 0.25 },
    ],
    samples: [{ step: 2, prompt: 'p', text: 't', cutAfter: 48 }],
    ...{ samplePrompts: ['p', 'q'], sampleEvery: 3, max_new_tokens: 48 },
    error: { code: 'full', message: 'm' },
    savedAt: { '2': 5 },
    schemaVersion: 1,
  },
  adapters: {
    ...{ id: 'adapter-2-step-4', name: 'a', modelId, origin: 'trained', peft, sizeBytes: 2 },
    load_in_4bit: true,
    ...{ createdAt: 1, runId: 'run-2', step: 4, schemaVersion: 1 },
  },
  evaluations: {
    ...{ id: 'evaluation-1', createdAt: 1, modelId, datasetId, schemaVersion: 1 },
    heldBackOf: { runId: 'run-1', name: 'r' },
    scores: [
      {
        ...{ adapterId: 'adapter-2-step-4', adapterName: 'a', adapterStep: 4, accuracy: 1 },
        ...{ rougeL: NaN, tokensPerSecond: 3, gpuBytes: 4, count: 1, learnedRows: 1 },
      } satisfies Required<RecordOf['evaluations']['scores'][number]>,
    ],
    rows: [{ instruction: 'i', input: '', reference: 'r', answers: ['a'] }],
  },
};

describe('a record', () => {
  const throughFile = (record: object) =>
    new Fields(JSON.parse(JSON.stringify(record)) as Record<string, unknown>, 'a file');

  for (const kind of KINDS)
    it(`of ${kind} comes out of a file as it went in, with all that it can have`, () => {
      const record = RECORDS[kind];
      expect(readRecord(kind, record.id, throughFile(record))).toEqual(record);
    });

  it('of a run has only what a run may leave out', () => {
    const record = { ...RECORDS.runs, leaveOut: ['duplicates', 'the good ones'] };
    expect(() => readRecord('runs', record.id, throughFile(record))).toThrow(/leaveOut\[1\]/);
  });

  it('of a run that an older version wrote comes out without what it could not know', () => {
    const log = [{ step: 1, epoch: 0.5, loss: 2, grad_norm: 1, learning_rate: 0.1 }];
    const old = { tokenCount: undefined, peakGpuBytes: undefined, provenance: undefined };
    const asked = { samplePrompts: undefined, sampleEvery: undefined, max_new_tokens: undefined };
    const samples = [{ step: 2, prompt: 'p', text: 't' }];
    const record = { ...RECORDS.runs, ...old, ...asked, log, samples };
    expect(readRecord('runs', record.id, throughFile(record))).toEqual(record);
  });

  const [device] = provenance.devices;
  const { model } = provenance;
  for (const [what, change, named] of [
    ['figures that are none', { tokenCount: -1 }, /tokenCount/],
    ['answers of no token', { max_new_tokens: 0 }, /max_new_tokens/],
    ['answers longer than any', { max_new_tokens: 4097 }, /max_new_tokens/],
    ['a question that is no text', { samplePrompts: ['p', 7] }, /samplePrompts\[1\]/],
    ['bytes in words', { peakGpuBytes: '8 GB' }, /peakGpuBytes/],
    ['no list of devices', { provenance: { ...provenance, devices: device } }, /devices/],
    ['no device', { provenance: { ...provenance, devices: [] } }, /devices/],
    [
      'a thousand and one devices',
      { provenance: { ...provenance, devices: new Array(1001).fill(device) } },
      /devices/,
    ],
    [
      'a backend of no kind',
      { provenance: { ...provenance, devices: [{ ...device, backend: 'cuda' }] } },
      /backend/,
    ],
    [
      'a device that may or may not',
      { provenance: { ...provenance, devices: [{ ...device, f16: null }] } },
      /f16/,
    ],
    [
      'an adapter with a book for a name',
      { provenance: { ...provenance, devices: [{ ...device, adapterName: 'x'.repeat(1001) }] } },
      /adapterName/,
    ],
    [
      'a model that is none of ours',
      { provenance: { ...provenance, model: { ...model, architecture: 'GPT2LMHeadModel' } } },
      /architecture/,
    ],
    [
      'data without a fingerprint',
      { provenance: { ...provenance, dataset: { ...provenance.dataset, hash: 7 } } },
      /hash/,
    ],
    [
      'a speed in words',
      { log: [{ ...RECORDS.runs.log[0], loss: 1, tokens_per_second: 'fast' }] },
      /tokens_per_second/,
    ],
  ] as const)
    it(`of a run is refused with ${what}`, () => {
      const record = { ...RECORDS.runs, ...change };
      expect(() => readRecord('runs', record.id, throughFile(record))).toThrow(named);
    });
  it('of an evaluation says which rows they were in a form that a page can show', () => {
    const { scores } = RECORDS.evaluations;
    const wrong: [object, RegExp][] = [
      [{ heldBackOf: 'run-1' }, /heldBackOf/],
      [{ heldBackOf: { runId: 'run-1' } }, /name/],
      [{ heldBackOf: { runId: 7, name: 'r' } }, /runId/],
      [{ heldBackOf: { runId: 'run-1', name: 'r'.repeat(1001) } }, /name/],
      [{ scores: [{ ...scores[0], learnedRows: -1 }] }, /learnedRows/],
      [{ scores: [{ ...scores[0], learnedRows: '1' }] }, /learnedRows/],
    ];
    for (const [part, words] of wrong) {
      const record = throughFile({ ...RECORDS.evaluations, ...part });
      expect(() => readRecord('evaluations', 'evaluation-1', record)).toThrow(words);
    }
    const older = { ...RECORDS.evaluations, heldBackOf: undefined };
    expect(readRecord('evaluations', 'evaluation-1', throughFile(older))).toEqual(older);
  });
});

describe('a row of a data set', () => {
  const user = { role: 'user', content: 'a' } as const;
  const answer = { role: 'assistant', content: 'b' } as const;
  const through = async (rows: object[]) => {
    const found: DatasetRow[] = [];
    const lines = async function* () {
      yield await Promise.resolve(writeRowLines(rows as DatasetRow[]));
    };
    for await (const row of readRowLines(lines(), 'rows.jsonl')) found.push(row);
    return found;
  };

  it('keeps which of its answers are not learned from', async () => {
    const messages = [
      user,
      { ...answer, noLoss: 'prompt' },
      { ...answer, noLoss: 'weight' },
      answer,
    ];
    const rows = [{ kind: 'chat', messages }];
    expect(JSON.stringify(await through(rows))).toBe(JSON.stringify(rows));
    await expect(
      through([{ kind: 'chat', messages: [user, { ...answer, noLoss: 'mood' }] }]),
    ).rejects.toMatchObject({ code: 'wrong-archive' });
  });
});
