/**
 * Plan: a run over prose longer than `max_length` learns all of it, with `split_long_text`: it is told before and at
 * the start how many texts become how many parts, none of them counts as cut or is left out as such, rows held back
 * are split too, packed or not; the adapter has the bits of one that learned the parts as rows of their own; a run that
 * is resumed splits as it began, whatever the page says. Control: without it the texts are cut.
 */
import type { Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngine } from '$lib/engine';
import type { EngineApi, RunSummary, TrainEvent, TrainRequest } from '$lib/rpc/engine-api';
import { MemoryFiles, MemoryTables } from '$lib/storage';
import { encodeParts, loadTokenizer } from '$lib/text';
import { testEntry } from '../dawn';
import { baseUrlOf, requestOf, serveBundled, silent, takePeft } from './harness';

const gpu = testEntry();
const MAX_LENGTH = 24;
const TEXTS = [
  '砚台是磨墨的器具。'.repeat(12),
  '短句。',
  'An inkstone is a stone for grinding ink. '.repeat(6).trim(),
  '研墨要慢，水要少。',
];
const file = (texts: readonly string[]) => new File([texts.join('\n\n')], 'prose.txt');

type Prepared = Extract<TrainEvent, { kind: 'prepared' }>;

describe('long texts', () => {
  let server: Server;
  let engine: EngineApi;
  let datasetId: string;
  beforeAll(async () => {
    server = await serveBundled();
    const baseUrl = baseUrlOf(server);
    engine = createEngine({ files: new MemoryFiles(), tables: new MemoryTables(), gpu, baseUrl });
    datasetId = await bring(file(TEXTS));
  });
  afterAll(() => void server.close());

  const bring = async (content: File) =>
    (await engine.importDataset({ file: content }, silent())).dataset!.id;

  const request = (
    changes: Partial<TrainRequest['training']> = {},
    more: Partial<TrainRequest> = {},
  ): TrainRequest => {
    const base = requestOf(datasetId, more);
    const split = { max_length: MAX_LENGTH, split_long_text: true };
    return { ...base, training: { ...base.training, ...split, ...changes } };
  };

  async function train(asked: TrainRequest, dieAt?: number) {
    let prepared: Prepared | undefined;
    const run = await engine.train(asked, {
      ...silent(),
      progress: (event) => {
        if (event.kind === 'prepared') prepared = event;
        if (event.kind === 'step' && event.step === dieAt) throw new Error('the tab is gone');
      },
    });
    return { run, prepared: prepared! };
  }

  const partsOf = async () => {
    const [json, config] = await Promise.all(
      ['tokenizer.json', 'tokenizer_config.json'].map(async (name) =>
        (await fetch(`${baseUrlOf(server)}models/nano-lm/${name}`)).text(),
      ),
    );
    const tokenizer = loadTokenizer({ tokenizerJson: json, tokenizerConfig: config });
    const encoding = { template: 'auto', maxLength: MAX_LENGTH, trainOnPrompt: false } as const;
    return TEXTS.flatMap((text) => encodeParts({ kind: 'text', text }, tokenizer, encoding));
  };
  const weightsOf = async ({ adapterId }: RunSummary) =>
    (await takePeft(engine, adapterId!)).get('adapter_model.safetensors')!;

  it('are told of before a run as they then are, and none is cut', async () => {
    const parts = await partsOf();
    const splitTexts = { rows: 2, parts: parts.length - 2 };
    const { prepared, run } = await train(request());
    expect(prepared).toMatchObject({ trainRows: 4, cutRows: 0, splitTexts });
    expect(run.training.split_long_text).toBe(true);
    const predicted = await engine.predictTraining(request(), silent());
    expect(predicted).toMatchObject({
      trainRows: 4,
      cutRows: 0,
      splitTexts,
      longestRow: MAX_LENGTH,
    });
    expect(predicted.memory.total).toBe(prepared.gpuBytes);
    const look = { modelId: 'nano-lm', datasetId, evalShare: 0, trainOnPrompt: false, seed: 42 };
    const asked = { ...look, maxLength: MAX_LENGTH, leaveOut: ['cut'] as const };
    const found = await engine.inspectData({ ...asked, splitLongText: true }, silent());
    expect(found).toMatchObject({ trainRows: 4, splitTexts, findings: { cut: { count: 0 } } });
    expect(found.lengths.bars.every(({ cutRows }) => cutRows === 0)).toBe(true);
    const preview = { ...look, index: 0, maxLength: MAX_LENGTH };
    expect(await engine.previewRow({ ...preview, splitLongText: true }, silent())).toMatchObject({
      ...{ truncated: false, answerCut: false },
      parts: expect.any(Number) as number,
    });
    // Steps follow the parts: an epoch of two a batch.
    const epoch = await engine.predictTraining(
      request({ max_steps: -1, num_train_epochs: 1 }, { leaveOut: ['cut'] }),
      silent(),
    );
    expect(epoch.totalSteps).toBe(Math.ceil(parts.length / 2));

    // Control: without it.
    const cut = request({ split_long_text: false });
    expect(await engine.predictTraining(cut, silent())).toMatchObject({
      ...{ trainRows: 4, cutRows: 2, splitTexts: { rows: 0, parts: 0 } },
    });
    expect(await engine.inspectData(asked, silent())).toMatchObject({
      ...{ trainRows: 2, splitTexts: { rows: 0, parts: 0 }, findings: { cut: { count: 2 } } },
    });
    expect(await engine.previewRow(preview, silent())).toMatchObject({
      ...{ truncated: true, answerCut: true, parts: 1 },
    });
  });

  it.each([
    ['', {}],
    [', packed', { packing: true, max_steps: 3 }],
  ] as const)('have the bits of their parts as rows of their own%s', async (_, changes) => {
    const rows = (await partsOf()).map(({ inputIds, labels }) => ({
      ...{ input_ids: [...inputIds], labels: [...labels] },
    }));
    const asTokens = await bring(new File([JSON.stringify(rows)], 'parts.json'));
    const [split, whole, cut] = [
      request(changes),
      { ...request({ ...changes, split_long_text: false }), datasetId: asTokens },
      request({ ...changes, split_long_text: false }),
    ];
    const bits = await weightsOf((await train(split)).run);
    expect(await weightsOf((await train(whole)).run)).toEqual(bits);
    expect(await weightsOf((await train(cut)).run)).not.toEqual(bits);
  });

  it('held back are evaluated to their end', async () => {
    const evalDatasetId = await bring(file([TEXTS[2], TEXTS[0]]));
    const evaluates = { eval_strategy: 'steps', eval_steps: 4, eval_on_start: true } as const;
    // What has learned nothing is evaluated, so that only the rows held back differ.
    const lossOf = async (split_long_text: boolean) => {
      const still = { ...evaluates, learning_rate: 0, split_long_text };
      const { run } = await train(request(still, { evalDatasetId }));
      return run.log.find((entry) => 'eval_loss' in entry);
    };
    const split = await lossOf(true);
    expect(split).toBeDefined();
    expect(split).not.toEqual(await lossOf(false));
  });

  it('of a run that is resumed are split as when it began', async () => {
    const { run } = await train(request({}, { name: 'whole' }));
    await expect(train(request({}, { name: 'killed' }), 3)).rejects.toThrow('gone');
    const killed = (await engine.listRuns(undefined, silent())).find(
      ({ name }) => name === 'killed',
    )!;
    expect(killed.training.split_long_text).toBe(true);
    // The page may have forgotten; the record has not.
    const forgotten = request({ split_long_text: false }, { resumeRunId: killed.id });
    const resumed = await train(forgotten);
    expect(resumed.prepared).toMatchObject({ startStep: 3, splitTexts: { rows: 2 } });
    expect(await weightsOf(resumed.run)).toEqual(await weightsOf(run));
  });
});
