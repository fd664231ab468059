/** A run of transformers' Trainer that is kept under tests/reference/goldens, made again with ours. */
import { existsSync, readFileSync } from 'node:fs';
import { readPeftConfig, readTrainingArguments, type JsonObject } from '$lib/config';
import { ModelWeights } from '$lib/decoder';
import type { Gpu } from '$lib/gpu';
import {
  checkpointName,
  checkpointStep,
  surplusCheckpoints,
  Trainer,
  type Checkpoint,
  type EvalReport,
  type LogEntry,
  type StepReport,
  type TokenRow,
  type TrainerState,
} from '$lib/training';
import { openAdapterFolder } from '../../src/cli/model-folder';
import { goldenPath, openGolden, readJson } from '../goldens';

export interface Expected {
  steps: {
    step: number;
    loss: number;
    grad_norm: number;
    learning_rate: number;
    num_target_tokens: number;
  }[];
  evaluations?: { step: number; eval_loss: number; eval_mean_token_accuracy?: number }[];
  saves?: {
    step: number;
    /** Left after it, the oldest first. */
    checkpoints: string[];
    best_global_step: number;
    best_metric: number;
    best_model_checkpoint: string;
  }[];
  stopped_at_step?: number;
  /** Of the whole run, with the entry that ends it. */
  log_history?: LogEntry[];
}

export interface GoldenRun {
  expected: Expected;
  steps: StepReport[];
  evaluations: EvalReport[];
  /** The state of each checkpoint, and what is left of them all after it. */
  saves: { state: TrainerState; checkpoints: string[] }[];
  /** As the run ends. */
  state: TrainerState;
  final: Float32Array;
  expectedFinal: Float32Array;
  parameters: Trainer['layout']['parameters'];
}

export function readRows(file: string): TokenRow[] {
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map((line) => {
    const { input_ids, labels } = JSON.parse(line) as { input_ids: number[]; labels: number[] };
    return { inputIds: Int32Array.from(input_ids), labels: Int32Array.from(labels) };
  });
}

/** @param folder relative to the goldens */
export async function goldenRun(
  gpu: Gpu,
  folder: string,
  changes: JsonObject = {},
): Promise<GoldenRun> {
  const path = goldenPath(folder);
  const golden = await openGolden(readJson<{ model: string }>(`${folder}/case.json`).model);
  const settings = { ...readJson<JsonObject>(`${folder}/config.json`), ...changes };
  const { config } = golden;
  const args = readTrainingArguments(settings, 'config.json');
  const storage = settings.load_in_4bit ? 'nf4' : 'f32';
  const weights = await ModelWeights.upload(gpu, config, golden.checkpoint.source, { storage });
  const initial = await openAdapterFolder(`${path}/init-adapter`, config);
  const evalFile = `${path}/eval.jsonl`;
  const trainer = await Trainer.create({
    gpu,
    config,
    weights,
    peft: readPeftConfig(settings, 'config.json'),
    args,
    rows: readRows(`${path}/dataset.jsonl`),
    evalRows: existsSync(evalFile) ? readRows(evalFile) : undefined,
    initialValues: initial.values,
  });
  const kept = new Map<number, Checkpoint>();
  const steps: StepReport[] = [];
  const evaluations: EvalReport[] = [];
  const saves: GoldenRun['saves'] = [];
  await trainer.run({
    onStep: (report) => steps.push(report),
    onEvaluate: (report) => evaluations.push(report),
    onCheckpoint: async (checkpoint) => {
      const { state } = checkpoint;
      kept.set(state.global_step, checkpoint);
      const best = checkpointStep(state.best_model_checkpoint ?? '');
      const all = [...kept.keys()];
      for (const old of surplusCheckpoints(all, state.global_step, args.save_total_limit, best))
        kept.delete(old);
      saves.push({ state, checkpoints: [...kept.keys()].map((step) => checkpointName(step)) });
    },
    loadCheckpoint: async (step) => kept.get(step)!,
  });
  const final = await trainer.adapter.readParameters();
  const { parameters } = trainer.layout;
  const state = trainer.trainerState;
  trainer.dispose();
  weights.dispose();
  return {
    expected: readJson<Expected>(`${folder}/expected.json`),
    steps,
    evaluations,
    saves,
    state,
    final,
    expectedFinal: (await openAdapterFolder(`${path}/final-adapter`, config)).values,
    parameters,
  };
}
