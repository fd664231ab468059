/** The rows of the bench, group by group: what is measured under which name. */
import { readFileSync } from 'node:fs';
import type { WeightStorage } from '$lib/decoder';
import { LINEAR_MODULES, parseModelConfig } from '$lib/config';
import {
  attentionName,
  attentionOperands,
  attentionOperations,
  ATTENTION_SHAPES,
  refuseDifferentResults,
} from './attention-problem';
import { pick, type Bench } from './bench';
import type { AttentionResults, AttentionRuns } from './contender';
import { loraProblem, type BatchShape } from './lora-problem';
import { measureLora, type LoraEffort } from './measure-lora';
import { measureMemory } from './measure-memory';
import { measureTime } from './measure-time';
import { measureRates, openMatmuls, type Rated } from './measure';
import { FORMS, LORA_PRODUCTS, openProduct, SIZES } from './products';

const MB = 1e6;

export async function benchProducts(bench: Bench): Promise<void> {
  const { gpu, contenders, peak } = bench;
  for (const size of SIZES) {
    const name = `matmul/${size.join('x')}`;
    if (!bench.wanted(name)) continue;
    bench.say(name);
    const products = await openMatmuls(contenders, size);
    bench.keepRates(name, await measureRates(products.set('peak', peak)));
  }
  const ofForms = SIZES.flatMap((size) => FORMS.map((form) => ({ size, form })));
  for (const { size, form } of [...ofForms, ...LORA_PRODUCTS]) {
    const name = `matmul/${size.join('x')}/${form.name}`;
    if (!bench.wanted(name)) continue;
    bench.say(name);
    const ours = await openProduct(gpu, size, form);
    const rated = new Map([
      ['ours', ours],
      ['peak', peak],
    ]);
    bench.keepRates(name, await measureRates(rated));
    ours.dispose?.();
  }
}

export async function benchAttention(bench: Bench): Promise<void> {
  for (const shape of ATTENTION_SHAPES) {
    const name = attentionName(shape);
    const names = { forward: `${name}/forward`, training: `${name}/training` } as const;
    if (!bench.wanted(...Object.values(names))) continue;
    const operands = attentionOperands(shape);
    const runs = new Map<string, AttentionRuns>();
    const results = new Map<string, AttentionResults>();
    for (const { name: who, attention } of bench.contenders) {
      const opened = await attention?.(shape, operands);
      if (!opened) continue;
      runs.set(who, opened);
      results.set(who, await opened.results());
    }
    refuseDifferentResults(results);
    const operations = attentionOperations(shape);
    for (const part of ['forward', 'training'] as const) {
      if (!bench.wanted(names[part])) continue;
      bench.say(names[part]);
      const rated = new Map<string, Rated>();
      for (const [who, { [part]: run }] of runs)
        rated.set(who, { operations: operations[part], run });
      bench.keepRates(names[part], await measureRates(rated.set('peak', bench.peak)));
    }
    for (const opened of runs.values()) opened.dispose();
  }
}

export interface BenchedModel {
  readonly name: string;
  readonly configFile: string;
  readonly batch: BatchShape;
  readonly effort: LoraEffort;
}

export async function benchLora(bench: Bench, model: BenchedModel): Promise<void> {
  const row = (group: string) => `${group}/${model.name}`;
  const groups = ['lora-step', 'dispatches', 'not-on-gpu', 'memory'];
  if (!bench.wanted(...groups.slice(0, 3).map(row))) return;
  const { B, T } = model.batch;
  bench.say(
    `${row('lora-step')}, ${B} x ${T} tokens (the peers compile for minutes on a software GPU)`,
  );
  const problem = await loraProblem(readFileSync(model.configFile, 'utf8'), model.batch);
  const { contenders, watch } = bench;
  const figures = await measureLora(contenders, problem, model.effort, watch, bench.say);
  bench.keepTimed(
    row('lora-step'),
    'tokens/s',
    figures,
    ({ tokensPerSecond }) => tokensPerSecond,
    ({ processorTokensPerSecond }) => processorTokensPerSecond,
  );
  bench.keep(
    row('lora-step'),
    'compile s',
    pick(figures, ({ compileSeconds }) => compileSeconds),
  );
  for (const { name, isProcessor } of contenders) if (isProcessor) figures.delete(name);
  const count = (group: string, metric: string, of: Parameters<typeof pick<FigureOf>>[1]) =>
    bench.keep(row(group), metric, pick(figures, of));
  count('dispatches', 'dispatches a step', ({ work }) => work.dispatches);
  count('dispatches', 'command buffers a step', ({ work }) => work.commandBuffers);
  count('not-on-gpu', 'share of a step', ({ work: { passMs, wallMs } }) =>
    passMs === undefined ? undefined : Math.max(0, 1 - passMs / wallMs),
  );
  count('memory', 'MB at the peak', ({ peakBytes }) => peakBytes / MB);
}

type FigureOf =
  Awaited<ReturnType<typeof measureLora>> extends Map<string, infer Found> ? Found : never;

export interface BenchedRun {
  readonly name: string;
  readonly configFile: string;
  readonly batch: BatchShape;
  /** LoRA on all linear layers and gradient checkpointing, at this rank; else the bench's own LoRA step. */
  readonly checkpointedRank?: number;
  readonly storages: readonly Exclude<WeightStorage, 'nf4'>[];
  /** Bytes that it is to stay under. */
  readonly limitBytes?: number;
}

export async function benchMemory(bench: Bench, run: BenchedRun): Promise<void> {
  const names = run.storages.map(
    (storage) => `memory/${run.name}/${storage === 'f32' ? 'f32' : 'bf16'}`,
  );
  if (!bench.wanted(...names)) return;
  const { checkpointedRank: r, batch, limitBytes } = run;
  const config = readFileSync(run.configFile, 'utf8');
  const problem = r
    ? await loraProblem(
        config,
        batch,
        { r, lora_alpha: 2 * r, target_modules: LINEAR_MODULES },
        { gradient_checkpointing: true },
      )
    : await loraProblem(config, batch);
  for (const [index, storage] of run.storages.entries()) {
    if (!bench.wanted(names[index])) continue;
    bench.say(names[index]);
    const { predicted, peakBytes, stepMs } = await measureMemory(
      bench.gpu,
      bench.watch,
      problem,
      storage,
    );
    const parts = Object.entries(predicted).map(
      ([part, bytes]) => `${part} ${Math.round(bytes / MB)}`,
    );
    bench.say(`  predicted MB: ${parts.join(', ')}; one step took ${(stepMs / 1000).toFixed(1)} s`);
    const figures = new Map([
      ['ours', peakBytes / MB],
      ['predicted', predicted.total / MB],
    ]);
    if (limitBytes) figures.set('limit', limitBytes / MB);
    bench.keep(names[index], 'MB at the peak', figures);
  }
}

export async function benchTime(bench: Bench, configFile: string): Promise<void> {
  const name = 'time/nano-lm';
  if (!bench.wanted(name)) return;
  bench.say(name);
  const config = parseModelConfig(readFileSync(configFile, 'utf8'));
  const { predictedSeconds, measuredSeconds } = await measureTime(bench.gpu, config);
  const figures = new Map([
    ['ours', measuredSeconds],
    ['predicted', predictedSeconds],
  ]);
  bench.keep(name, 's a step', figures);
}
