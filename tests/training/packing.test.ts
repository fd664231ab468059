/** Short rows put together: how they are, and that each is trained as it would be alone. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  DEFAULT_TRAINING_ARGUMENTS,
  readLoraConfig,
  readPeftConfig,
  type TrainingArguments,
} from '$lib/config';
import { ModelWeights } from '$lib/decoder';
import type { Gpu } from '$lib/gpu';
import { Trainer, type StepReport, type TokenRow } from '$lib/training';
import { collate, countTargets } from '$lib/training/batches';
import { packRows } from '$lib/training/packing';
import { requestTestGpu } from '../dawn';
import { goldenPath, openGolden, readJson, relativeL2 } from '../goldens';
import { readRows } from './rows';
import { makeRows } from './stored-run';

const rowOf = (length: number, id: number): TokenRow => {
  const inputIds = new Int32Array(length).fill(id);
  return { inputIds, labels: inputIds };
};
/** Ids of the rows that each packed row holds, one a part. */
const contents = (rows: readonly TokenRow[]) =>
  rows.map(({ inputIds, starts }) => starts!.map((start) => inputIds[start]));

const asLists = ({ inputIds, labels, starts }: TokenRow) => ({
  ...{ input_ids: Array.from(inputIds), labels: Array.from(labels), starts },
});

describe('packing', () => {
  it('puts the longest first, each into the fullest row that holds it', () => {
    // Like the two below, what the loop of trl 1.13's _pack_bfd makes of these lengths.
    const lengths = [3, 7, 2, 9, 5, 4, 1, 10, 6];
    const rows = lengths.map((length, id) => rowOf(length, id));
    expect(contents(packRows(rows, 10))).toEqual([[7], [3, 6], [1, 0], [8, 5], [4, 2]]);
  });

  it('fills rows as TRL does over thirty lengths', () => {
    const lengths = [
      ...[8, 5, 12, 16, 3, 1, 16, 9, 8, 7, 16, 16, 13, 5, 8],
      ...[5, 13, 1, 3, 6, 2, 10, 1, 9, 16, 13, 14, 13, 15, 5],
    ];
    const rows = lengths.map((length, id) => rowOf(length, id));
    expect(contents(packRows(rows, 16))).toEqual([
      ...[[3], [6], [10], [11], [24], [28, 5], [26, 20], [12, 4], [16, 18], [25], [27], [2]],
      ...[
        [21, 19],
        [7, 9],
        [23, 1, 17, 22],
        [0, 8],
        [14, 13],
        [15, 29],
      ],
    ]);
  });

  it("fills the golden's rows as the reference does, targets and all", () => {
    const folder = goldenPath('arguments/packing');
    const { max_length } = readJson<{ max_length: number }>('arguments/packing/config.json');
    const lines = readFileSync(`${folder}/packed.jsonl`, 'utf8').trim().split('\n');
    const packed = packRows(readRows(`${folder}/dataset.jsonl`), max_length);
    expect(packed.map(asLists)).toEqual(lines.map((line) => JSON.parse(line) as object));
  });

  it('takes of equally full rows the one that came first, and keeps the order of equal lengths', () => {
    const rows = [6, 6, 6, 4, 4, 2, 2].map((length, id) => rowOf(length, id));
    expect(contents(packRows(rows, 8))).toEqual([[0, 5], [1, 6], [2], [3, 4]]);
    expect(contents(packRows(rows, 10))).toEqual([
      [0, 3],
      [1, 4],
      [2, 5, 6],
    ]);
  });

  it('loses no token, ignores the first label of each part and leaves out empty rows', () => {
    const rows = [...makeRows(23), rowOf(0, 1), rowOf(1, 5)];
    const packed = packRows(rows, 32);
    const tokens = (of: readonly TokenRow[]) =>
      of.flatMap(({ inputIds }) => Array.from(inputIds)).sort((a, b) => a - b);
    expect(tokens(packed)).toEqual(tokens(rows));
    const targets = (of: readonly TokenRow[]) =>
      of.reduce((sum, row) => sum + countTargets(row), 0);
    expect(targets(packed)).toBe(targets(rows));
    for (const { inputIds, labels, starts } of packed) {
      expect(inputIds.length).toBeLessThanOrEqual(32);
      for (const start of starts!) expect(labels[start]).toBe(-100);
    }
    expect(packed.length).toBeLessThan(rows.length / 2);
  });

  it('gives each part its own positions and first key, and padding its own', () => {
    const { segments, T } = collate(packRows([rowOf(3, 1), rowOf(2, 2)], 5));
    expect(T).toBe(16);
    expect(Array.from(segments!.positions.subarray(0, 7))).toEqual([0, 1, 2, 0, 1, 0, 0]);
    expect(Array.from(segments!.firstKeys.subarray(0, 7))).toEqual([0, 0, 0, 3, 3, 5, 6]);
    expect(collate([rowOf(3, 1)]).segments).toBeUndefined();
  });

  describe('in a run', () => {
    let gpu: Gpu;
    beforeAll(async () => {
      gpu = await requestTestGpu();
    });
    afterAll(() => gpu.dispose());

    const train = async (model: string, changes: Partial<TrainingArguments>) => {
      const golden = await openGolden(model);
      const weights = await ModelWeights.upload(gpu, golden.config, golden.checkpoint.source);
      const trainer = await Trainer.create({
        gpu,
        config: golden.config,
        weights,
        peft: readLoraConfig({ target_modules: 'all-linear', r: 2 }, 'test'),
        // All rows in each step, so that a step sees the same targets packed or not.
        args: {
          ...DEFAULT_TRAINING_ARGUMENTS,
          ...{ per_device_train_batch_size: 4, gradient_accumulation_steps: 100, max_steps: 3 },
          ...{ learning_rate: 0.01, ...changes },
        },
        rows: makeRows(18),
      });
      const reports: StepReport[] = [];
      await trainer.run({ onStep: (report) => reports.push(report) });
      const values = await trainer.adapter.readParameters();
      trainer.dispose();
      weights.dispose();
      return { reports, values };
    };

    it.each(['llama-untied-gqa', 'mistral-sliding', 'qwen3'])(
      'has the losses and gradients of the same rows unpacked: %s',
      async (model) => {
        const plain = await train(model, {});
        const packed = await train(model, { packing: true, max_length: 40 });
        packed.reports.forEach((report, i) => {
          const reference = plain.reports[i];
          expect([report.targetCount, report.tokenCount]).toEqual([
            reference.targetCount,
            reference.tokenCount,
          ]);
          // After Adam's first steps small differences of tiny gradients have grown.
          expect(Math.abs(report.loss - reference.loss)).toBeLessThan(i === 0 ? 1e-5 : 1e-4);
          expect(Math.abs(report.grad_norm / reference.grad_norm - 1)).toBeLessThan(1e-4);
        });
        expect(relativeL2(packed.values, plain.values)).toBeLessThan(1e-3);
      },
    );

    it('is refused with prefix tuning, by name', async () => {
      const golden = await openGolden('llama-tied');
      const weights = await ModelWeights.upload(gpu, golden.config, golden.checkpoint.source);
      const create = (packing: boolean) =>
        Trainer.create({
          ...{ gpu, config: golden.config, weights, rows: makeRows(4) },
          peft: readPeftConfig({ peft_type: 'PREFIX_TUNING', num_virtual_tokens: 2 }, 'test'),
          args: { ...DEFAULT_TRAINING_ARGUMENTS, packing },
        });
      await expect(create(true)).rejects.toThrow(/packing is true, which prefix tuning does not/);
      (await create(false)).dispose();
    });

    it('takes no more than max_length and the model allow, and changes no evaluation', async () => {
      const golden = await openGolden('llama-tied');
      const weights = await ModelWeights.upload(gpu, golden.config, golden.checkpoint.source);
      const evaluate = async (packing: boolean) => {
        const trainer = await Trainer.create({
          ...{ gpu, config: golden.config, weights, rows: makeRows(18), evalRows: makeRows(5) },
          peft: readLoraConfig({}, 'test'),
          args: {
            ...DEFAULT_TRAINING_ARGUMENTS,
            ...{ packing, eval_on_start: true, max_steps: 1, max_length: 48 },
          },
        });
        const losses: number[] = [];
        await trainer.run({ onEvaluate: ({ eval_loss }) => losses.push(eval_loss) });
        const { batchesPerEpoch } = trainer.shape;
        trainer.dispose();
        return { losses, batchesPerEpoch };
      };
      const [plain, packed] = [await evaluate(false), await evaluate(true)];
      expect(packed.losses).toEqual(plain.losses);
      expect([plain.batchesPerEpoch, packed.batchesPerEpoch]).toEqual([3, 1]);
    });
  });
});
