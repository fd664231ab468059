/**
 * Plan: which rows an evaluation asks, and which of them were learned from, by an engine over memory. What a run
 * held back, by a share or as data of its own, is asked as the run has it, and counts as not learned; the run's own
 * data counts as learned, and so do rows of other data that ask the same; what an earlier round learned counts in
 * the next. Nothing is claimed of the base model, of adapters from elsewhere and of runs or data that are gone. The
 * report keeps all of it. Control: data that the run never saw counts as not learned. Answers are scripted: ONNX
 * Runtime is the browser tests' part.
 */
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { COMMON_RECIPE } from '$lib/config';
import { createEngine } from '$lib/engine';
import { AdapterLibrary } from '$lib/engine/adapter-library';
import { adapterIdOf } from '$lib/engine/adapter-id';
import { EngineDevice, type EngineContext } from '$lib/engine/context';
import { DatasetLibrary } from '$lib/engine/dataset-library';
import { EvaluationService } from '$lib/engine/evaluation-service';
import type { LoadedModel, Speaker } from '$lib/engine/open-model';
import { QuestionRows } from '$lib/engine/question-rows';
import { RunLibrary, type RunFacts } from '$lib/engine/run-library';
import { rowsOfRun } from '$lib/engine/run-rows';
import type { AdapterSummary, EngineApi } from '$lib/rpc/engine-api';
import { MemoryFiles, MemoryTables } from '$lib/storage';
import { loadTokenizer } from '$lib/text';
import { alpaca, silent } from './harness';

const rowsAbout = (subject: string, count: number) =>
  Array.from({ length: count }, (_, i) => ({
    instruction: `${subject} Question ${i}?`,
    input: '',
    output: `Answer ${i}`,
  }));

describe('the questions of an evaluation', () => {
  let tables: MemoryTables;
  let engine: EngineApi;
  let datasets: DatasetLibrary;
  let runs: RunLibrary;
  let service: EvaluationService;
  let own: string;
  let other: string;

  beforeEach(async () => {
    tables = new MemoryTables();
    const files = new MemoryFiles();
    const baseUrl = 'http://127.0.0.1:9/';
    engine = createEngine({ files, tables, gpu: undefined, baseUrl });
    const device = new EngineDevice(undefined, () => {});
    const context: EngineContext = { files, tables, baseUrl, device };
    datasets = new DatasetLibrary(context);
    runs = new RunLibrary(context);
    const adapters = new AdapterLibrary(context, runs);
    const questions = new QuestionRows({ datasets, runs, adapters });
    service = new EvaluationService({
      ...{ context, questions, adapters },
      open: () => Promise.resolve({ folder: { tokenizer: scripted.tokenizer } } as LoadedModel),
      speakAs: (_id, _model, _use, work) => work(scripted.speaker),
    });
    own = await bring(rowsAbout('Own', 20), 'own.json');
    other = await bring(rowsAbout('Other', 6), 'other.json');
  });

  async function bring(rows: object[], name: string): Promise<string> {
    return (await engine.importDataset({ file: alpaca(rows, name) }, silent())).dataset!.id;
  }

  /** A run and its adapter, as they outlive the checkpoints. */
  async function train(
    id: string,
    { adapter = {}, ...facts }: Partial<RunFacts> & { adapter?: Partial<AdapterSummary> } = {},
  ): Promise<string> {
    await runs.save({
      ...{ id, name: id, modelId: 'nano-lm', datasetId: own, evalShare: 0.2 },
      ...{ status: 'finished', createdAt: 1, step: 4, totalSteps: 4, elapsedMs: 1 },
      ...{ trainableParams: 1, allParams: 2, log: [], samples: [] },
      ...{ peft: COMMON_RECIPE.lora, training: COMMON_RECIPE.training },
      ...facts,
    } as RunFacts);
    const adapterId = adapterIdOf(id, 4);
    await tables.put('adapters', {
      ...{ id: adapterId, name: id, modelId: 'nano-lm', origin: 'trained', sizeBytes: 1 },
      ...{ peft: COMMON_RECIPE.lora, createdAt: 1, runId: id, step: 4, schemaVersion: 1 },
      ...adapter,
    } as AdapterSummary & { schemaVersion: 1 });
    return adapterId;
  }

  type Choice = { datasetId: string } | { heldBackOf: string };
  const look = (adapterIds: (string | undefined)[], choice: Choice, maxRows = 0) =>
    engine.inspectQuestions({ ...choice, maxRows, adapterIds }, silent());
  const asked = async (choice: Choice, maxRows = 0) => {
    const request = { ...choice, maxRows, max_new_tokens: 8, modelId: 'nano-lm' };
    return service.evaluate({ ...request, adapterIds: [undefined] }, silent());
  };
  const instructionsOf = (rows: readonly object[]) =>
    rows.map((row) => (row as { instruction: string }).instruction);

  it('that a run held back by a share are its own, in their order, and none was learned', async () => {
    const adapterId = await train('run-a');
    const { evalRows } = await rowsOfRun(datasets, await runs.get('run-a'));
    expect(evalRows).toHaveLength(4);
    const report = await asked({ heldBackOf: 'run-a' });
    expect(instructionsOf(report.rows)).toEqual(instructionsOf(evalRows));
    const first = await asked({ heldBackOf: 'run-a' }, 3);
    expect(instructionsOf(first.rows)).toEqual(instructionsOf(evalRows.slice(0, 3)));
    const known = { count: 4, learnedRows: [undefined, 0] };
    expect(await look([undefined, adapterId], { heldBackOf: 'run-a' })).toEqual(known);
  });

  it('that a run held back as data of its own are that data, but for what it leaves out', async () => {
    const leaky = await bring([...rowsAbout('Own', 2), ...rowsAbout('New', 3)], 'leaky.json');
    const adapterId = await train('run-a', { evalDatasetId: leaky, evalShare: 0 });
    expect(await look([adapterId], { heldBackOf: 'run-a' })).toEqual({
      ...{ count: 5, learnedRows: [2] },
    });
    await train('run-b', { evalDatasetId: leaky, evalShare: 0, leaveOut: ['leaked'] });
    expect(await look([adapterId], { heldBackOf: 'run-b' })).toEqual({
      ...{ count: 3, learnedRows: [0] },
    });
    const report = await asked({ heldBackOf: 'run-b' });
    expect(report).toMatchObject({ datasetId: leaky, heldBackOf: { runId: 'run-b' } });
  });

  it('are learned where they are of the data that the run learned from, but for what it held back', async () => {
    const adapterId = await train('run-a');
    expect(await look([adapterId], { datasetId: own })).toEqual({ count: 20, learnedRows: [16] });
    const { learnedRows } = await look([adapterId], { datasetId: own }, 5);
    expect(learnedRows[0]).toBeGreaterThan(0);
    expect(await look([adapterId], { datasetId: other })).toEqual({ count: 6, learnedRows: [0] });
  });

  it('are learned where other data asks the same in other letters', async () => {
    const adapterId = await train('run-a', { evalShare: 0 });
    const alike = [{ instruction: 'OWN  question 3？', input: '', output: 'another answer' }];
    const copy = await bring([...alike, ...rowsAbout('New', 2)], 'copy.json');
    expect(await look([adapterId], { datasetId: copy })).toEqual({ count: 3, learnedRows: [1] });
  });

  it('are learned where an earlier round learned them, though records go round in a circle', async () => {
    const first = await train('run-a', { evalShare: 0 });
    const second = await train('run-b', {
      ...{ datasetId: other, evalShare: 0 },
      startedFrom: { adapterId: first, name: 'run-a', step: 4 },
    });
    expect(await look([second, first], { datasetId: own })).toMatchObject({
      learnedRows: [20, 20],
    });
    expect(await look([second, first], { datasetId: other })).toMatchObject({
      learnedRows: [6, 0],
    });
    const round = { startedFrom: { adapterId: second, name: 'run-b' } };
    await runs.save({ ...(await runs.get('run-a')), ...round });
    expect(await look([first], { datasetId: other })).toMatchObject({ learnedRows: [6] });
  });

  it('are claimed neither way where nobody knows', async () => {
    const adapterId = await train('run-a');
    const imported = await train('run-b', { adapter: { runId: undefined, step: undefined } });
    const unknown = { learnedRows: [undefined, undefined] };
    expect(await look([undefined, imported], { datasetId: own })).toMatchObject(unknown);
    const further = await train('run-c', {
      ...{ datasetId: other, evalShare: 0 },
      startedFrom: { adapterId: 'adapter-gone-step-2', name: 'gone' },
    });
    expect(await look([further], { datasetId: own })).toMatchObject({ learnedRows: [undefined] });
    // What one round is known to have learned stays true.
    expect(await look([further], { datasetId: other })).toMatchObject({ learnedRows: [6] });
    await tables.remove('runs', 'run-a');
    expect(await look([adapterId], { datasetId: own })).toMatchObject({ learnedRows: [undefined] });
    await engine.deleteDataset({ datasetId: other }, silent());
    expect(await look([further], { datasetId: own })).toMatchObject({ learnedRows: [undefined] });
  });

  it('are refused by name where a run held nothing back, is gone, or its data is', async () => {
    await train('run-a', { evalShare: 0 });
    const refusal = (choice: Choice) =>
      look([], choice).catch(({ code }: { code: string }) => code);
    expect(await refusal({ heldBackOf: 'run-a' })).toBe('nothing-held-back');
    expect(await refusal({ heldBackOf: 'run-none' })).toBe('not-found');
    await train('run-b');
    expect(await refusal({ heldBackOf: 'run-b' })).toMatchObject({ count: 4 });
    await engine.deleteDataset({ datasetId: own }, silent());
    expect(await refusal({ heldBackOf: 'run-b' })).toBe('not-found');
  });

  it('are in the report, which says so when it is read again', async () => {
    const adapterId = await train('run-a');
    const request = { modelId: 'nano-lm', adapterIds: [undefined, adapterId], max_new_tokens: 8 };
    const held = await service.evaluate({ ...request, heldBackOf: 'run-a', maxRows: 0 }, silent());
    expect(held).toMatchObject({
      datasetId: own,
      heldBackOf: { runId: 'run-a', name: 'run-a' },
      scores: [{ count: 4 }, { count: 4, learnedRows: 0, adapterId }],
    });
    expect(held.scores[0].learnedRows).toBeUndefined();
    const whole = await service.evaluate({ ...request, datasetId: own, maxRows: 0 }, silent());
    expect(whole).toMatchObject({ scores: [{ count: 20 }, { count: 20, learnedRows: 16 }] });
    expect(whole.heldBackOf).toBeUndefined();
    expect((await engine.listEvaluations(undefined, silent())).map(({ id }) => id).sort()).toEqual(
      [held.id, whole.id].sort(),
    );
    const again = (await service.list()).find(({ id }) => id === held.id)!;
    expect(again.heldBackOf).toEqual(held.heldBackOf);
    expect(again.scores[1].learnedRows).toBe(0);
  });
});

const ofNano = (name: string) =>
  readFileSync(new URL(`../../models/nano-lm/${name}`, import.meta.url), 'utf8');

/** Answers everything alike. */
const scripted = {
  tokenizer: loadTokenizer({
    tokenizerJson: ofNano('tokenizer.json'),
    tokenizerConfig: ofNano('tokenizer_config.json'),
  }),
  speaker: {
    session: { generate: () => Promise.resolve({ text: 'Answer 0', newTokens: 2 }) },
  } as unknown as Speaker,
};
