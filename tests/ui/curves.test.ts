/**
 * Plan: what plots, comparisons and cards are made of. Thinning keeps both ends; smoothing keeps a constant
 * and begins at the first value, and leaves a few points as they are; axes have round marks inside them, also
 * for one value, none, and zeros on a logarithm; a record with losses of evaluations; settings that differ, by
 * name; a card that lacks nothing, does not change with what is on the device now, and leaves out what an older
 * version did not write down.
 */
import { expect, test } from 'vitest';
import { COMMON_RECIPE, DEFAULT_IA3_CONFIG } from '../../src/lib/config';
import type { RunSummary } from '../../src/lib/rpc/engine-api';
import { differingSettings, overlayRuns } from '../../src/lib/state/compare-runs';
import {
  exactAxis,
  linearAxis,
  logAxis,
  smooth,
  smoothSpan,
  thin,
} from '../../src/lib/state/curves';
import { cardFileName, makeRunCard, type CardContext } from '../../src/lib/state/run-card';
import { bestAccuracyOf, bestEvalOf, evalPointsOf, pointsOf } from '../../src/lib/state/run-points';
import { DATASETS, lossAt, MODELS, RUNS } from './stand-in/fixtures';

test.each([1, 2, 3, 399, 400, 401, 12345])('%i items thinned keep both ends', (count) => {
  const items = Array.from({ length: count }, (_, index) => index);
  const kept = thin(items, 400);
  expect(kept.length).toBeLessThanOrEqual(401);
  expect([kept[0], kept.at(-1)]).toEqual([0, count - 1]);
});

test('smoothing keeps a constant, begins with the first value and leaves out what is no number', () => {
  const flat = smooth(
    [0, 1, 2, 3].map((x) => [x, 2.5] as const),
    5,
  );
  for (const [, y] of flat) expect(y).toBeCloseTo(2.5, 12);
  expect(
    smooth(
      [
        [1, 8],
        [2, NaN],
        [3, 8],
      ],
      4,
    ),
  ).toHaveLength(2);
  expect(
    smooth(
      [
        [1, 8],
        [2, 0],
      ],
      4,
    )[0],
  ).toEqual([1, 8]);
});

test('a few points are not smoothed, many are', () => {
  expect([0, 1, 12, 19].map(smoothSpan)).toEqual([1, 1, 1, 1]);
  expect([20, 400].map(smoothSpan)).toEqual([3, 20]);
  const falling = [4, 3, 2, 1].map((y, x) => [x, y] as const);
  expect(smooth(falling, smoothSpan(falling.length))).toEqual(falling);
});

test.each([
  [
    [0.18, 3.55],
    [0, 1, 2, 3, 4],
  ],
  [
    [0, 2e-4],
    [0, 5e-5, 1e-4, 1.5e-4, 2e-4],
  ],
  [[7, 7], undefined],
  [[], undefined],
])('a linear axis over %j has round marks from end to end', (values, marks) => {
  const axis = linearAxis(values, 4);
  if (marks) expect(axis.marks.map(({ value }) => value)).toEqual(marks);
  expect(axis.marks[0].at).toBeCloseTo(0, 9);
  expect(axis.marks.at(-1)!.at).toBeCloseTo(1, 9);
});

test('an exact axis ends with its values and marks only what is inside', () => {
  const axis = exactAxis([3, 64], 4);
  expect([axis.place(3), axis.place(64)]).toEqual([0, 1]);
  expect(axis.marks.map(({ value }) => value)).toEqual([20, 40, 60]);
});

test('a logarithmic axis leaves zero out and marks powers', () => {
  const { marks, place } = logAxis([0, 1e-3, 10], 4);
  expect(marks.map(({ value }) => value)).toContain(0.1);
  expect(place(0.1)).toBeCloseTo(0.5, 9);
  expect(logAxis([2.1, 2.2], 4).marks.length).toBeGreaterThan(1);
  expect(logAxis([0], 4).marks.length).toBeGreaterThan(1);
});

test('losses of steps and of evaluations are told apart in a record', () => {
  const { log } = RUNS[0];
  expect(pointsOf(log)).toHaveLength(log.length - 3);
  expect(evalPointsOf(log).map(({ step }) => step)).toEqual([40, 80, 120]);
});

test('settings that differ are named as outside, and absent ones stay absent', () => {
  const [first] = RUNS;
  const other: RunSummary = {
    ...first,
    peft: DEFAULT_IA3_CONFIG,
    training: { ...COMMON_RECIPE.training, learning_rate: 5e-3 },
  };
  const found = new Map(
    differingSettings([first, other]).map(({ name, values }) => [name, values]),
  );
  expect(found.get('peft_type')).toEqual(['LORA', 'IA3']);
  expect(found.get('r')).toEqual(['16', undefined]);
  expect(found.get('learning_rate')).toEqual(['2e-4', '0.005']);
  expect(found.has('max_length')).toBe(false);
  expect(differingSettings([first, { ...first, id: 'again' }])).toEqual([]);
});

test('runs laid over each other bring their evaluations, in their own look, where they have some', () => {
  const evalName = (name: string) => `${name}: evaluated`;
  const plain = { ...RUNS[1], log: RUNS[1].log.filter((entry) => 'loss' in entry) };
  const both = overlayRuns([RUNS[0], plain], ['a', 'b'], evalName);
  expect(both.series.map(({ name, kind, look }) => [name, kind, look])).toEqual([
    ['a', 'line', 0],
    ['b', 'line', 1],
    ['a: evaluated', 'joined', 0],
  ]);
  expect(both.columns.map(({ name }) => name)).toEqual(['a', 'b', 'a: evaluated']);
  expect(both.steps).toEqual([10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120]);
  // Of the table: as measured, not as smoothed.
  expect(both.columns[0].at.get(20)).toBe(lossAt(20));
  expect(both.columns[2].at.get(40)).toBe(lossAt(40) + 0.08);
  expect(both.columns[2].at.has(50)).toBe(false);
  // Control: switched off, nobody's are shown.
  expect(overlayRuns([RUNS[0], plain], ['a', 'b'], undefined).series).toHaveLength(2);
});

test('the speed of each step is in a record, and of an older version’s it is not made up', () => {
  expect(pointsOf(RUNS[0].log).every(({ tokensPerSecond }) => tokensPerSecond! > 0)).toBe(true);
  expect(pointsOf(RUNS[1].log).some(({ tokensPerSecond }) => tokensPerSecond)).toBe(false);
});

const NOTHING_HERE = { model: undefined, dataset: undefined, evalDataset: undefined };

const cardOf = (run: RunSummary, here: Omit<CardContext, 'appVersion'>) =>
  JSON.parse(JSON.stringify(makeRunCard(run, { ...here, appVersion: '1' })));

test('a card tells what the run wrote down, whatever is on the device now', () => {
  const other = { ...DATASETS[4], id: 'medical-zh', hash: 'b'.repeat(64), rowCount: 1 };
  const here = { model: { ...MODELS[0], revision: 'newer' }, dataset: other, evalDataset: other };
  expect(cardOf(RUNS[0], here)).toEqual(cardOf(RUNS[0], NOTHING_HERE));
});

test('a card of an older version’s run leaves out what nobody knows any more', () => {
  const [, old] = RUNS;
  const model = { ...MODELS[0], revision: 'newer' };
  const bundled = cardOf(old, { model, dataset: DATASETS[0], evalDataset: DATASETS[1] });
  expect(bundled.model).toMatchObject({ name: 'nano-lm', architecture: 'LlamaForCausalLM' });
  for (const [part, field] of [
    [bundled, 'device'],
    [bundled.model, 'revision'],
    [bundled.data, 'sha256'],
    [bundled.figures, 'tokensPerSecond'],
    [bundled.figures, 'peakGpuBytes'],
  ] as const)
    expect(part).not.toHaveProperty(field);
  // Control: rows of one's own are the same as ever under their id.
  const own = cardOf(old, { model, dataset: DATASETS[4], evalDataset: undefined });
  expect(own.data.sha256).toBe('a'.repeat(64));
});

test('the best evaluation is the first of the lowest', () => {
  const at = (step: number, evalLoss: number) => ({ step, evalLoss });
  expect(bestEvalOf([at(1, 3), at(2, 1), at(3, 1), at(4, 2)])).toEqual(at(2, 1));
  expect(bestEvalOf([])).toBeUndefined();
});

test('the best accuracy is the highest of those that there are', () => {
  const at = (step: number, tokenAccuracy?: number) => ({ step, evalLoss: 1, tokenAccuracy });
  expect(bestAccuracyOf([at(1, 0), at(2, 0.5), at(3), at(4, 0.25)])).toEqual({
    step: 2,
    tokenAccuracy: 0.5,
  });
  expect(bestAccuracyOf([at(1), at(2, 0)])).toEqual({ step: 2, tokenAccuracy: 0 });
  expect([bestAccuracyOf([]), bestAccuracyOf([at(1)])]).toEqual([undefined, undefined]);
});

test('a card holds the model, the data’s hash, every argument and the log, and survives JSON', () => {
  const provenance = { ...RUNS[0].provenance!, model: { ...MODELS[0], revision: 'c0ffee' } };
  const run = { ...RUNS[0], provenance };
  const card = cardOf(run, NOTHING_HERE);
  expect(card.model).toMatchObject({ id: 'nano-lm', revision: 'c0ffee' });
  expect(card.device).toEqual(provenance.devices[0]);
  expect(card.data.sha256).toBe('a'.repeat(64));
  expect(card.data.evaluation.id).toBe('medical-zh-eval');
  expect(card.peft).toEqual(run.peft);
  expect(card.training).toEqual(run.training);
  expect(card.log).toEqual(run.log);
  expect(card.figures).toMatchObject({
    ...{ bestEvalLoss: lossAt(120) + 0.08, bestEvalLossStep: 120 },
    ...{ bestTokenAccuracy: 0.9, bestTokenAccuracyStep: 80 },
    lastTokenAccuracy: 0.9 - (40 / 160) ** 2,
    peakGpuBytes: 61 * 2 ** 20,
  });
  expect(card.figures.lastEvalLoss).toBe(card.figures.bestEvalLoss);
  expect(card.figures.tokensPerSecond).toBeCloseTo((1100 * 120) / 93, 9);
  expect(cardFileName(run)).toBe('医学问答样例-11月23日-14-02.run.json');
});
