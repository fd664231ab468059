/**
 * Plan: what is predicted is what is live on the device once a run is prepared, to the byte, for several
 * models, batches, lengths, methods and stored weights, and part by part; nothing is allocated for it; a
 * device's limits are held exactly: at the limit a run is prepared, a byte below both refuse; the smallest
 * change that fits is found in its order, and does fit.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  COMMON_RECIPE,
  DEFAULT_TRAINING_ARGUMENTS,
  readLoraConfig,
  readPeftConfig,
  readTrainingArguments,
  type LoraConfig,
} from '$lib/config';
import { adaptedModel, ModelWeights, type WeightStorage } from '$lib/decoder';
import { NO_LIMITS, type Gpu } from '$lib/gpu';
import {
  findFit,
  fitWithin,
  predictMemory,
  predictStorage,
  rowsShape,
  runShape,
  trainedShape,
  Trainer,
  withChange,
  writeCheckpoint,
  writeFitChange,
  type FitChange,
  type FitSettings,
  type TokenRow,
} from '$lib/training';
import { requestTestGpu } from '../dawn';
import { openGolden } from '../goldens';

const lora = (options: object): LoraConfig => readLoraConfig({ ...options }, 'test');
const rowsOf = (count: number, length: number): TokenRow[] =>
  Array.from({ length: count }, (_, i) => {
    const ids = Int32Array.from({ length: Math.max(3, length - i) }, (_, t) => (i + t) % 90);
    return { inputIds: ids, labels: ids };
  });

describe('the memory of a run', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  const open = async (name: string, storage: WeightStorage = 'f32') => {
    const { config, checkpoint } = await openGolden(name);
    const weights = await ModelWeights.upload(gpu, config, checkpoint.source, { storage });
    return { config, weights };
  };

  it.each([
    ['llama-tied', { r: 3 }, 2, 5, 17, 'f32'],
    ['llama-tied', { r: 1, lora_dropout: 0.3, target_modules: 'all-linear' }, 1, 1, 64, 'f32'],
    ['qwen2', { r: 8, bias: 'all' }, 4, 3, 40, 'f32'],
    ['qwen3', { r: 16, target_modules: ['o_proj', 'up_proj'] }, 7, 9, 33, 'f32'],
    ['llama-tied', { r: 4 }, 3, 8, 21, 'stored'],
    [
      ...(['llama-tied', { layers_to_transform: [1], rank_pattern: { v_proj: 7 } }] as const),
      ...([2, 5, 17, 'f32'] as const),
    ],
  ] as const)('%s %j, batches of %i of %i rows of %i tokens, %s: to the byte', async (...row) => {
    const [name, options, batchSize, rowCount, longestRow, storage] = row;
    const { config, weights } = await open(name, storage);
    const args = { ...DEFAULT_TRAINING_ARGUMENTS, per_device_train_batch_size: batchSize };
    const before = [gpu.liveCount, gpu.liveBytes];
    const shared = { config, peft: lora(options), args };
    const dtypeOf = (tensor: string) => weights.get(tensor).dtype;
    const predicted = await predictMemory({
      ...shared,
      trained: { count: rowCount, longest: longestRow },
      ...{ dtypeOf, gpu },
    });
    expect([gpu.liveCount, gpu.liveBytes]).toEqual(before);
    const rows = rowsOf(rowCount, longestRow);
    const trainer = await Trainer.create({ ...shared, gpu, weights, rows });
    expect(predicted.total).toBe(gpu.liveBytes);
    expect(predicted.weights).toBe(weights.gpuBytes);
    expect(predicted).toMatchObject(trainer.memory);
    const { total, ...parts } = predicted;
    expect(Object.values(parts).reduce((sum, bytes) => sum + bytes, 0)).toBe(total);
    trainer.dispose();
    weights.dispose();
    await gpu.idle();
    expect(gpu.liveBytes).toBe(0);
  });

  it.each([
    { use_dora: true, r: 4 },
    { init_lora_weights: 'pissa', r: 2 },
    { init_lora_weights: 'pissa', target_modules: '.*\\.q_proj', rank_pattern: { '.*1.*': 3 } },
    { peft_type: 'IA3' },
    { peft_type: 'PREFIX_TUNING', num_virtual_tokens: 5 },
    { peft_type: 'FULL' },
  ])('%j: to the byte, and on the disk nearly so', async (options) => {
    const { config, weights } = await open('llama-tied');
    const args = { ...DEFAULT_TRAINING_ARGUMENTS, save_total_limit: 1 };
    const shared = { config, peft: readPeftConfig(options, 'test'), args };
    const predicted = await predictMemory({
      ...shared,
      trained: { count: 3, longest: 20 },
      gpu,
    });
    const trainer = await Trainer.create({ ...shared, gpu, weights, rows: rowsOf(3, 20) });
    expect(predicted.total).toBe(gpu.liveBytes);
    expect(predicted).toMatchObject(trainer.memory);
    const model = adaptedModel(config);
    const files = writeCheckpoint(await trainer.checkpoint(), shared.peft, model, 'base');
    let stored = 0;
    for (const bytes of files.values()) stored += bytes.length;
    const { kept: told } = predictStorage(shared.peft, model, args, runShape(3, args));
    // Texts are guessed, and they are much of what so small an adapter takes.
    expect(Math.abs(told - stored)).toBeLessThan(0.02 * stored + 400);
    trainer.dispose();
    weights.dispose();
    await gpu.idle();
  });

  it('a base in 4 bits: to the byte, from how the open model lies in 16 bits', async () => {
    const { config, weights } = await open('llama-tied', 'nf4');
    const args = readTrainingArguments({ load_in_4bit: true }, 'test');
    const shared = { config, peft: lora({ r: 2 }), args };
    const predicted = await predictMemory({
      ...shared,
      ...{ trained: { count: 3, longest: 20 }, dtypeOf: () => 'bf16', gpu },
    });
    expect(predicted.weights).toBe(weights.gpuBytes);
    const trainer = await Trainer.create({ ...shared, gpu, weights, rows: rowsOf(3, 20) });
    expect(predicted.total).toBe(gpu.liveBytes);
    trainer.dispose();
    weights.dispose();
    await gpu.idle();
  });

  it.each([
    { eval_strategy: 'epoch', per_device_eval_batch_size: 4 },
    { gradient_checkpointing: true },
    { optim: 'adamw_8bit' },
    { packing: true, max_length: 48, per_device_train_batch_size: 2 },
  ])('%j: to the byte', async (options) => {
    const { config, weights } = await open('llama-tied');
    const args = readTrainingArguments(options, 'test');
    const shared = { config, peft: lora({ r: 2 }), args };
    const [rows, evalRows] = [rowsOf(9, 24), rowsOf(5, 40)];
    const predicted = await predictMemory({
      ...shared,
      trained: trainedShape(rows, args, args.max_length),
      evaluated: rowsShape(evalRows),
      gpu,
    });
    const trainer = await Trainer.create({ ...shared, gpu, weights, rows, evalRows });
    expect(predicted.total).toBe(gpu.liveBytes);
    trainer.dispose();
    weights.dispose();
    await gpu.idle();
  });

  const sizes = async (longestRow: number, batchSize: number) => {
    const { config } = await openGolden('llama-tied');
    const args = { ...DEFAULT_TRAINING_ARGUMENTS, per_device_train_batch_size: batchSize };
    return {
      config,
      settings: { peft: lora({ r: 8 }), args, trained: { count: 100, longest: longestRow } },
    };
  };

  it('is told without any device, and holds limits to the byte', async () => {
    const { config, settings } = await sizes(64, 8);
    const free = await predictMemory({ config, ...settings });
    const within = (maxBufferSize: number) =>
      predictMemory({ config, ...settings, limits: { ...NO_LIMITS, maxBufferSize } });
    let [enough, few] = [free.total, 4];
    while (enough - few > 4) {
      const middle = Math.floor((enough + few) / 8) * 4;
      const fits = await within(middle).then(
        () => true,
        () => false,
      );
      [enough, few] = fits ? [middle, few] : [enough, middle];
    }
    expect(await within(enough)).toEqual(free);
    await expect(within(few)).rejects.toMatchObject({
      code: 'limit',
      details: { size: enough, allowed: few },
    });
  });

  it.each([
    [
      'smaller batches first',
      0.6,
      /^per_device_train_batch_size=4, gradient_accumulation_steps=2$/,
    ],
    [
      'then shorter rows',
      0.05,
      /^per_device_train_batch_size=1, .*, gradient_checkpointing=true, load_in_4bit=true, max_length=\d+$/,
    ],
  ])('the smallest change that fits is found: %s', async (_, share, change) => {
    const { config, settings } = await sizes(128, 8);
    const runOf = async (candidate: FitSettings) => {
      const { total, weights } = await predictMemory({ config, ...candidate });
      return total - weights;
    };
    const allowed = share * (await runOf(settings));
    const found = await findFit(settings, async (candidate) => (await runOf(candidate)) <= allowed);
    expect(writeFitChange(found!)).toMatch(change);
    expect(await runOf(withChange(settings, found!))).toBeLessThanOrEqual(allowed);
  });

  it('layers are computed again where smaller batches are not enough', async () => {
    const { settings } = await sizes(64, 8);
    const alone = await findFit(settings, async ({ args }) => args.gradient_checkpointing);
    expect(writeFitChange(alone!)).toBe('gradient_checkpointing=true');
    const both = await findFit(
      settings,
      async ({ args }) => args.gradient_checkpointing && args.per_device_train_batch_size <= 2,
    );
    expect(writeFitChange(both!)).toBe(
      'per_device_train_batch_size=2, gradient_accumulation_steps=4, gradient_checkpointing=true',
    );
  });

  it('full fine-tuning has its moments in 8 bits before anything that changes the result more', async () => {
    const { config, settings } = await sizes(16, 2);
    // Wide enough that moments are most of what the run takes.
    const wide = { ...config, hiddenSize: 256, intermediateSize: 704, headCount: 16 };
    const full = { ...settings, peft: readPeftConfig({ peft_type: 'FULL' }, 'test') };
    const totalOf = async (candidate: FitSettings) =>
      (await predictMemory({ config: wide, ...candidate })).total;
    const totalWith = (change: FitChange) => totalOf(withChange(full, change));
    const findWithin = (allowed: number, of: FitSettings = full) =>
      findFit(of, async (candidate) => (await totalOf(candidate)) <= allowed);
    const moments: FitChange = { optim: 'adamw_8bit' };
    const small: FitChange = {
      ...{ per_device_train_batch_size: 1, gradient_accumulation_steps: 2 },
      gradient_checkpointing: true,
    };
    const withMoments = await totalWith(moments);
    expect(withMoments).toBeLessThan(0.75 * (await totalOf(full)));
    // The control: what leaves the result as it is comes first.
    expect(await findWithin(await totalWith(small))).not.toHaveProperty('optim');
    const found = await findWithin(withMoments);
    expect(writeFitChange(found!)).toBe('optim=adamw_8bit');
    const both = { ...small, ...moments };
    expect(await findWithin(await totalWith(both))).toEqual(both);
    expect(await findWithin(0)).toBeUndefined();
  });

  it('moments in 8 bits come before a base in 4 bits, with it where both are needed, and not twice', async () => {
    const { settings } = await sizes(64, 1);
    const triedOf = async (of: FitSettings): Promise<string[]> => {
      const tried: string[] = [];
      await findFit(of, async ({ args }) => {
        tried.push(`${args.optim}${args.load_in_4bit ? ' nf4' : ''}`);
        return false;
      });
      return [...new Set(tried)];
    };
    expect(await triedOf(settings)).toEqual([
      ...['adamw_torch', 'adamw_8bit', 'adamw_torch nf4', 'adamw_8bit nf4'],
    ]);
    const already = { ...settings, args: { ...settings.args, optim: 'adamw_bnb_8bit' } as const };
    expect(await triedOf(already)).toEqual(['adamw_bnb_8bit', 'adamw_bnb_8bit nf4']);
  });

  it('a base in 4 bits is offered where the weights are what is too much, and never with full tuning', async () => {
    const { settings } = await sizes(64, 1);
    const inFourBits = async ({ args }: FitSettings) => args.load_in_4bit;
    const found = await findFit(settings, inFourBits);
    expect(writeFitChange(found!)).toBe('gradient_checkpointing=true, load_in_4bit=true');
    const full = { ...settings, peft: readPeftConfig({ peft_type: 'FULL' }, 'test') };
    expect(await findFit(full, inFourBits)).toBeUndefined();
  });

  it('LoRA is offered at the very last where full tuning cannot fit, fits then, and not to an adapter', async () => {
    const { config, settings } = await sizes(16, 2);
    const wide = { ...config, hiddenSize: 256, intermediateSize: 704, headCount: 16 };
    const full = { ...settings, peft: readPeftConfig({ peft_type: 'FULL' }, 'test') };
    const totalOf = async (candidate: FitSettings) =>
      (await predictMemory({ config: wide, ...candidate })).total;
    const instead: FitChange = { peft_type: 'LORA' };
    const withLora = await totalOf(withChange(full, instead));
    const smallestFull = await totalOf(
      withChange(full, {
        ...{ per_device_train_batch_size: 1, gradient_checkpointing: true },
        optim: 'adamw_8bit',
      }),
    );
    expect(withLora).toBeLessThan(0.6 * smallestFull);
    const found = await fitWithin(withLora, { config: wide, ...full });
    expect(found).toEqual({ change: instead, totalBytes: withLora });
    expect(writeFitChange(instead)).toBe('peft_type=LORA');
    expect(withChange(full, instead).peft).toEqual(COMMON_RECIPE.lora);
    // Less still: what leaves LoRA's result as it is comes with it.
    const less = await fitWithin(withLora - 1, { config: wide, ...full });
    expect(less?.change).toMatchObject({ peft_type: 'LORA', per_device_train_batch_size: 1 });
    expect(less!.totalBytes).toBeLessThan(withLora);
    // The controls: what keeps the method comes first; an adapter keeps its own; LoRA itself is no way out of LoRA.
    const enough = await fitWithin(smallestFull, { config: wide, ...full });
    expect(enough?.change).not.toHaveProperty('peft_type');
    const goesOn = { config: wide, ...full, hasGivenAdapter: true };
    expect(await fitWithin(withLora, goesOn)).toBeUndefined();
    const fromLora = await fitWithin(0.9 * withLora, { config: wide, ...settings });
    expect(fromLora?.change ?? {}).not.toHaveProperty('peft_type');
  });

  it('a rank that alone is too large is halved, its scale kept; where nothing fits, nothing is said', async () => {
    const { settings } = await sizes(64, 8);
    const isSmall = async ({ peft }: FitSettings) => peft.peft_type === 'LORA' && peft.r <= 2;
    const found = await findFit(settings, isSmall);
    expect(found).toEqual({ r: 2, lora_alpha: settings.peft.lora_alpha / 4 });
    // Half of 6 is no rank of an orthogonal start, nor is 1.
    const startingAs = (init_lora_weights: unknown) =>
      findFit({ ...settings, peft: lora({ r: 6, init_lora_weights }) }, isSmall);
    expect(await startingAs('orthogonal')).toBeUndefined();
    expect(await startingAs('gaussian')).toMatchObject({ r: 1 });
    // An adapter that is gone on from keeps its own.
    expect(await findFit({ ...settings, hasGivenAdapter: true }, isSmall)).toBeUndefined();
    // Patterns give some layers a rank or alpha that halving would not move along.
    for (const name of ['rank_pattern', 'alpha_pattern'])
      expect(
        await findFit({ ...settings, peft: { ...settings.peft, [name]: { q_proj: 4 } } }, isSmall),
      ).toBeUndefined();
    expect(await findFit(settings, async () => false)).toBeUndefined();
  });
});
