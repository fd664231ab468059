/**
 * Time that a run will take, measured on the very GPU before it starts: the trainer itself takes a few
 * steps on a model of one and of a few of its layers, and the rest are multiples of what a layer adds.
 * What the run needs compiled is compiled by then. Changes nothing that a run reads.
 */
import {
  evaluatesItself,
  type ModelConfig,
  type PeftConfig,
  type TrainingArguments,
} from '../config';
import { adaptedModel, countParameters, type ModelWeights } from '../decoder';
import { GpuError, NO_LIMITS, type Gpu } from '../gpu';
import { layoutAdapter, onEveryLayer } from '../peft';
import { countTargets, IGNORED, longestRow, paddedTokens, type TokenRow } from './batches';
import { dueAfter } from './flow';
import { packRows } from './packing';
import { predictMemory } from './predict-memory';
import { epochSteps, runShape } from './progress';
import { Trainer } from './trainer';

/** What time depends on, of a run's rows. */
export interface RunLoad {
  /** Rows of a full micro-batch, put together where they are packed. */
  readonly B: number;
  /** Tokens of a typical row, padded as in its batch. */
  readonly T: number;
  /** Tokens of an optimiser step, padding included; the mean of an epoch. */
  readonly tokensPerStep: number;
  /** Share of the tokens that are targets. */
  readonly targetShare: number;
  readonly totalSteps: number;
  readonly evaluations: number;
  /** Tokens of one evaluation. */
  readonly evaluatedTokens: number;
}

export interface RunTime {
  readonly secondsPerStep: number;
  /** Of one evaluation; 0 where the run has none. */
  readonly secondsPerEvaluation: number;
  /** Steps and evaluations; sample answers and what is compiled at the start come on top. */
  readonly totalSeconds: number;
}

/** Seconds a token on one device, by kind of work. */
export interface MeasuredRates {
  readonly trained: number;
  readonly evaluated: number;
}

/** A step that is measured. */
export interface MeasuredStep extends Pick<RunLoad, 'B' | 'T'> {
  /** Micro-batches of a step: what a step costs by itself counts once in so many, as it does in the run. */
  readonly accumulation: number;
}

export interface Measurement extends MeasuredRates {
  /** The step that told. */
  readonly batch: MeasuredStep;
}

export interface MeasureOptions {
  gpu: Gpu;
  config: ModelConfig;
  weights: ModelWeights;
  peft: PeftConfig;
  args: TrainingArguments;
  load: RunLoad;
  /** That of another measurement, to be compared with it; else it is found. */
  batch?: MeasuredStep;
  signal?: AbortSignal;
}

/** Operations a measured step takes at first: a blink on a graphics card, half a second on a slow processor. */
const OPERATIONS = { card: 5e10, software: 1e9 };
/** A step shorter than this is mostly what any step costs, and one of more tokens is measured in its place. */
const QUICK_MS = 150;
const AIM_MS = 300;
const MOST_GROWTH = 8;
/** Multiply-adds of a weight and token, forward and backward, each two operations. */
const OPERATIONS_A_WEIGHT = 6;
const LAYERS = 3;
/** The first one compiles; the median of the others counts. */
const STEPS = 4;
/** GPU memory that may be taken for it, beside the weights: nobody has pressed a button yet. */
const MOST_BYTES = 2 ** 30;

/**
 * @param rows to train on, as they are encoded
 * @param allowed tokens that a packed row may have
 */
export function runLoad(
  rows: readonly TokenRow[],
  evalRows: readonly TokenRow[],
  args: TrainingArguments,
  allowed: number,
): RunLoad {
  const longest = longestRow(rows);
  const taken = args.packing ? packRows(rows, Math.max(longest, allowed)) : rows;
  const lengths = taken.map(({ inputIds }) => inputIds.length);
  const padded = (indices: readonly number[]) =>
    indices.length * paddedTokens(Math.max(...indices.map((index) => lengths[index])));
  const steps = epochSteps(taken.length, args, 0, lengths);
  const batches = steps.flat();
  const tokens = batches.reduce((sum, indices) => sum + padded(indices), 0);
  const targets = taken.reduce((sum, row) => sum + countTargets(row), 0);
  const shape = runShape(taken.length, args);
  let evaluations = args.eval_on_start ? 1 : 0;
  for (let step = 1; step <= shape.totalSteps; step++)
    if (dueAfter(step, args, shape).evaluate) evaluations++;
  return {
    B: Math.min(taken.length, args.per_device_train_batch_size),
    T: paddedTokens(tokens / batches.reduce((sum, indices) => sum + indices.length, 0)),
    tokensPerStep: tokens / steps.length,
    targetShare: targets / tokens,
    totalSteps: shape.totalSteps,
    evaluations: evaluatesItself(args) && evalRows.length > 0 ? evaluations : 0,
    evaluatedTokens: evalRows.reduce((sum, { inputIds }) => sum + paddedTokens(inputIds.length), 0),
  };
}

export function runTime(load: RunLoad, rates: MeasuredRates): RunTime {
  const { totalSteps, evaluations, tokensPerStep, evaluatedTokens } = load;
  const secondsPerStep = rates.trained * tokensPerStep;
  const secondsPerEvaluation = evaluations > 0 ? rates.evaluated * evaluatedTokens : 0;
  const totalSeconds = totalSteps * secondsPerStep + evaluations * secondsPerEvaluation;
  return { secondsPerStep, secondsPerEvaluation, totalSeconds };
}

/**
 * @returns undefined where even these steps would take much memory
 * @throws AbortError; GpuError where they do not fit
 */
export async function measureRates(asked: MeasureOptions): Promise<Measurement | undefined> {
  // A model of a few layers may have none of those that the method is on.
  const options = { ...asked, peft: onEveryLayer(adaptedModel(asked.config), asked.peft) };
  const batch = options.batch ?? measuredBatch(options, 1);
  const first = await measureBatch(options, batch);
  if (!first) return undefined;
  const found = { ...first.rates, batch };
  if (options.batch || first.stepMs > QUICK_MS) return found;
  const larger = measuredBatch(options, Math.min(MOST_GROWTH, AIM_MS / first.stepMs));
  if (tokensOf(larger) <= tokensOf(batch)) return found;
  const second = await measureBatch(options, larger).catch((error: unknown) => {
    if (error instanceof GpuError && error.code === 'out-of-memory') return undefined;
    throw error;
  });
  return second ? { ...second.rates, batch: larger } : found;
}

interface MeasuredBatch {
  readonly rates: MeasuredRates;
  /** Of the larger model. */
  readonly stepMs: number;
}

/** @returns undefined where it would take much memory */
async function measureBatch(
  options: MeasureOptions,
  batch: MeasuredStep,
): Promise<MeasuredBatch | undefined> {
  const { layerCount } = options.config;
  const few = fewLayers(options);
  if ((await bytesToMeasure(options, batch)) > MOST_BYTES) return undefined;
  const one = await measureLayers(options, 1, batch);
  const more = few === 1 ? one : await measureLayers(options, few, batch);
  const extend = (first: number, second: number) =>
    few === 1 ? first : first + (Math.max(0, second - first) * (layerCount - 1)) / (few - 1);
  return {
    rates: {
      trained: extend(one.trained, more.trained),
      evaluated: extend(one.evaluated, more.evaluated),
    },
    stepMs: more.trained * 1000 * tokensOf(batch),
  };
}

/** Rates of a model of so many layers. */
async function measureLayers(
  options: MeasureOptions,
  layers: number,
  batch: MeasuredStep,
): Promise<MeasuredRates> {
  const { weights, load, signal } = options;
  signal?.throwIfAborted();
  // What it does not find is told to no other measurement.
  const gpu = options.gpu.forOwner();
  const { B, T, accumulation } = batch;
  const args: TrainingArguments = {
    ...options.args,
    max_steps: STEPS,
    gradient_accumulation_steps: accumulation,
    group_by_length: false,
    eval_strategy: load.evaluations > 0 ? 'steps' : 'no',
    eval_steps: 1,
    save_strategy: 'no',
    load_best_model_at_end: false,
    early_stopping_patience: null,
  };
  const config = withLayers(options.config, layers);
  const row = rowOf(T, load.targetShare, config.vocabSize);
  const rowsOf = (count: number) => new Array<TokenRow>(count).fill(row);
  const layout = layoutAdapter(adaptedModel(config), options.peft);
  const trainer = await Trainer.create({
    ...{ gpu, config, weights, signal, rows: rowsOf(B * accumulation) },
    peft: options.peft,
    args: { ...args, per_device_train_batch_size: B, per_device_eval_batch_size: B },
    evalRows: load.evaluations > 0 ? rowsOf(B) : undefined,
    initialValues: new Float32Array(layout.flatCount),
  });
  const trained: number[] = [];
  const evaluated: number[] = [];
  try {
    await trainer.run({
      signal,
      onStep: ({ elapsedMs }) => trained.push(elapsedMs),
      onEvaluate: ({ elapsedMs }) => evaluated.push(elapsedMs),
    });
  } finally {
    trainer.dispose();
  }
  signal?.throwIfAborted();
  const rateOf = (times: readonly number[], tokens: number) =>
    median(times.slice(1)) / 1000 / tokens;
  return {
    trained: rateOf(trained, tokensOf(batch)),
    evaluated: evaluated.length > 0 ? rateOf(evaluated, B * T) : 0,
  };
}

async function bytesToMeasure(options: MeasureOptions, { B, T }: MeasuredStep): Promise<number> {
  const { gpu, peft, args } = options;
  const { total, weights } = await predictMemory({
    ...{ gpu, peft, limits: NO_LIMITS },
    config: withLayers(options.config, fewLayers(options)),
    args: { ...args, per_device_train_batch_size: B, eval_strategy: 'no' },
    trained: { count: B, longest: T },
  });
  return total - weights;
}

/** Layers of the larger of the two models that are measured. */
const fewLayers = ({ config }: MeasureOptions): number => Math.min(LAYERS, config.layerCount);

const tokensOf = ({ B, T, accumulation }: MeasuredStep): number => B * T * accumulation;

/**
 * The run's own step, or as many of its tokens as can be computed in a moment: first of a row, then rows, then batches.
 * @param growth how much longer than at first the moment may be
 */
function measuredBatch(options: MeasureOptions, growth: number): MeasuredStep {
  const { gpu, config, load, args } = options;
  const perToken = OPERATIONS_A_WEIGHT * countParameters(withLayers(config, fewLayers(options)));
  const tokens = (growth * OPERATIONS[gpu.isSoftware ? 'software' : 'card']) / perToken;
  const T = Math.min(load.T, paddedTokens(tokens));
  const upTo = (most: number, wanted: number) => Math.max(1, Math.min(most, Math.floor(wanted)));
  const B = upTo(load.B, tokens / T);
  const most = Math.min(tokens, load.tokensPerStep);
  return { B, T, accumulation: upTo(args.gradient_accumulation_steps, most / (B * T)) };
}

const withLayers = (config: ModelConfig, layerCount: number): ModelConfig => ({
  ...config,
  layerCount,
  slidingWindow: config.slidingWindow.slice(0, layerCount),
});

function rowOf(T: number, targetShare: number, vocabSize: number): TokenRow {
  const inputIds = Int32Array.from({ length: T }, (_, t) => (t * 7) % vocabSize);
  const labels = inputIds.slice();
  const targets = Math.min(T - 1, Math.max(1, Math.round(targetShare * T)));
  labels.fill(IGNORED, 0, T - targets);
  return { inputIds, labels };
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1];
