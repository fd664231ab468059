/** `train --model DIR --dataset FILE [--eval-dataset FILE] --config FILE.json [--init-adapter DIR] --output DIR [--resume [DIR]]` */
import { dirname, join } from 'node:path';
import { evaluatesItself, parseRecipeFile, type ModelConfig, type PeftConfig } from '$lib/config';
import { adaptedModel, ModelWeights } from '$lib/decoder';
import { GpuError, type DType } from '$lib/gpu';
import { layoutAdapter, PeftError, type LoadedAdapter } from '$lib/peft';
import {
  checkpointName,
  checkpointStep,
  dueAfter,
  readCheckpointValues,
  rowsShape,
  surplusCheckpoints,
  trainedShape,
  TRAINER_STATE_FILE,
  Trainer,
  withSuggestion,
  writeCheckpoint,
  type Checkpoint,
} from '$lib/training';
import { CliError } from '../errors';
import { readBytes, readText, removeFile, removeFolder, writeFileAtomically } from '../disk';
import { requestNodeGpu } from '../gpu';
import { openAdapterFolder, openModelFolder } from '../model-folder';
import {
  earlierSteps,
  findCheckpoint,
  openCheckpointFolder,
  requireSameLength,
  RUN_SETTINGS_FILE,
  writeRunSettings,
} from '../resume';
import { readRows } from '../rows';

export interface TrainOptions {
  model: string;
  dataset: string;
  config: string;
  output: string;
  'init-adapter'?: string;
  /** Rows held back, for an `eval_strategy`. */
  'eval-dataset'?: string;
  /** A checkpoint's folder; '' is the newest one in the output folder. */
  resume?: string;
}

export async function train(options: TrainOptions): Promise<void> {
  const { peft, args, warnings } = parseRecipeFile(await readText(options.config), options.config);
  for (const warning of warnings) tell(warning);
  const model = await openModelFolder(options.model);
  const encoding = { maxLength: args.max_length, trainOnPrompt: args.train_on_prompt };
  const rows = await readRows(options.dataset, options.model, encoding);
  const evalFile = options['eval-dataset'];
  if (!evalFile && evaluatesItself(args))
    throw new CliError(
      'usage',
      `${options.config}: eval_strategy is ${args.eval_strategy}, but there are no rows to evaluate on. Give them with --eval-dataset, or set eval_strategy to no.`,
    );
  const evalRows = evalFile ? await readRows(evalFile, options.model, encoding) : undefined;
  const made = { peft, args, rows, evalRows };
  const from =
    options.resume === undefined ? undefined : await findCheckpoint(options.resume, options.output);
  const adapted = adaptedModel(model.config);
  const checkpoint = from ? await openCheckpointFolder(from, made, adapted) : undefined;
  const initial = options['init-adapter']
    ? await openAdapterFolder(options['init-adapter'], model.config)
    : undefined;
  if (initial) requireSameShape(initial, peft, model.config);
  const gpu = await requestNodeGpu();
  try {
    const { config } = model;
    const weights = await ModelWeights.upload(gpu, config, model.checkpoint.source, {
      storage: args.load_in_4bit ? 'nf4' : 'stored',
    });
    const initialValues = initial?.values;
    const settings = { gpu, config, peft, args };
    const trainer = await Trainer.create({
      ...settings,
      ...{ weights, rows, evalRows, initialValues, checkpoint },
      outputDir: options.output,
    }).catch(async (error: unknown) => {
      throw tellSuggestion(
        await withSuggestion(error, {
          ...settings,
          trained: trainedShape(rows, args, encoding.maxLength),
          evaluated: evalRows && rowsShape(evalRows),
          dtypeOf: (name) => storedDtype(weights.get(name).dtype),
        }),
      );
    });
    if (from && checkpoint) {
      requireSameLength(from, checkpoint, trainer.shape.totalSteps);
      tell(`Goes on from ${from}: step ${trainer.step} of ${trainer.shape.totalSteps} is done.`);
    }
    const { trainableCount } = trainer.layout;
    process.stdout.write(`${trainableParameters(trainableCount, trainer.allParams)}\n`);
    const save = async (checkpoint: Checkpoint, folder: string, only?: readonly string[]) => {
      const files = writeCheckpoint(checkpoint, peft, adapted, model.name);
      for (const [name, bytes] of files)
        if (!only || only.includes(name)) await writeFileAtomically(join(folder, name), bytes);
    };
    // Only what this run wrote is ever removed, whatever else lies in the output folder.
    let written = from ? await earlierSteps(options.output, trainer.step, made) : [];
    const folderOf = (step: number) => join(options.output, checkpointName(step));
    const removeSurplus = async (kept: number, best: number | undefined) => {
      const surplus = surplusCheckpoints(written, kept, args.save_total_limit, best);
      for (const old of surplus) await removeFolder(folderOf(old));
      written = written.filter((other) => !surplus.includes(other));
    };
    const bestStep = () => checkpointStep(trainer.trainerState.best_model_checkpoint ?? '');
    // A run that was ended between writing one checkpoint and removing another has one too many.
    if (written.includes(trainer.step)) await removeSurplus(trainer.step, bestStep());
    await trainer.run({
      onStep: ({ step, epoch, loss, grad_norm, learning_rate }) => {
        const line = { step, epoch, loss, grad_norm, learning_rate };
        if (dueAfter(step, args, trainer.shape).log || step === trainer.shape.totalSteps)
          process.stdout.write(`${JSON.stringify(line)}\n`);
      },
      onEvaluate: ({ step, epoch, eval_loss }) =>
        process.stdout.write(`${JSON.stringify({ step, epoch, eval_loss })}\n`),
      onCheckpoint: async (checkpoint) => {
        const { global_step: step } = checkpoint.state;
        const folder = folderOf(step);
        // The last to be written: with it the checkpoint is complete, and none of an earlier run is taken for it.
        await removeFile(join(folder, TRAINER_STATE_FILE));
        await writeFileAtomically(join(folder, RUN_SETTINGS_FILE), writeRunSettings(made));
        await save(checkpoint, folder);
        written = [...written, step];
        await removeSurplus(step, bestStep());
      },
      loadCheckpoint: async (step) => {
        const names = ['adapter_config.json', 'adapter_model.safetensors'];
        const files = new Map<string, Uint8Array>();
        // What was the best before the run was ended lies where it went on from.
        const folder =
          from && !written.includes(step)
            ? join(dirname(from), checkpointName(step))
            : folderOf(step);
        for (const name of names) files.set(name, await readBytes(join(folder, name)));
        return readCheckpointValues(files, peft, adapted);
      },
    });
    // As the Trainer does at its end: one checkpoint is the best one, not the last.
    const best = bestStep();
    if (args.save_total_limit === 1 && best !== undefined) await removeSurplus(best, undefined);
    await save(await trainer.checkpoint(), options.output, [
      'adapter_config.json',
      'adapter_model.safetensors',
      TRAINER_STATE_FILE,
    ]);
  } finally {
    gpu.dispose();
  }
}

function requireSameShape(initial: LoadedAdapter, peft: PeftConfig, config: ModelConfig): void {
  const wanted = layoutAdapter(adaptedModel(config), peft).parameters;
  const found = initial.layout.parameters;
  const differs = wanted.find(
    ({ key, shape }, index) =>
      found[index]?.key !== key || String(found[index].shape) !== String(shape),
  );
  if (differs || wanted.length !== found.length)
    throw new PeftError(
      'wrong-model',
      `The initial adapter (${summary(initial.config)}) does not fit the config (${summary(peft)}). Make them equal.`,
    );
}

function tell(sentence: string): void {
  process.stderr.write(`${sentence}\n`);
}

const summary = (config: PeftConfig): string =>
  Object.entries(config)
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(', ');

/** Of the weights that a run in 4 bits replaces. */
const storedDtype = (dtype: DType): DType => (dtype === 'u32' ? 'f32' : dtype);

/** A command line shows the message alone. */
function tellSuggestion(error: unknown): unknown {
  if (!(error instanceof GpuError) || error.details.suggestion === undefined) return error;
  const { code, message, details } = error;
  return new GpuError(code, `${message} With ${details.suggestion} it should fit.`, {
    details,
    cause: error,
  });
}

/** As PEFT's `print_trainable_parameters` prints it. */
export function trainableParameters(trainable: number, all: number): string {
  const group = (count: number) => count.toLocaleString('en-US');
  const share = ((100 * trainable) / all).toFixed(4);
  return `trainable params: ${group(trainable)} || all params: ${group(all)} || trainable%: ${share}`;
}
