/** `train --model DIR --dataset FILE [--eval-dataset FILE] --config FILE [--init-adapter DIR] --output DIR [--resume [DIR]]` */
import { evaluatesItself, parseSettingsObject, readRecipe } from '$lib/config';
import { adaptedModel, ModelWeights } from '$lib/decoder';
import { GpuError, type DType } from '$lib/gpu';
import {
  dueAfter,
  readCheckpointValues,
  rowsShape,
  trainedShape,
  Trainer,
  withSuggestion,
  writeCheckpoint,
  type RunOptions,
} from '$lib/training';
import { CheckpointSaver, patienceOfTerminal } from '../checkpoint-saver';
import { CliError } from '../errors';
import { readText, requireWritable } from '../disk';
import { requestNodeGpu } from '../gpu';
import { Interruption } from '../interruption';
import { openAdapterFolder, openModelFolder } from '../model-folder';
import { print, tell } from '../print';
import { findCheckpoint, openCheckpointFolder, requireSameLength } from '../resume';
import { readRows } from '../rows';
import { bestStep, RunFolder } from '../run-folder';
import { readRoundRecipe } from '../starting-adapter';

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

/** @returns the exit code */
export async function train(options: TrainOptions): Promise<number> {
  const model = await openModelFolder(options.model);
  const adapterFolder = options['init-adapter'];
  const initial = adapterFolder ? await openAdapterFolder(adapterFolder, model.config) : undefined;
  const given = await parseSettingsObject(await readText(options.config), options.config);
  const { peft, args, warnings } =
    initial && adapterFolder
      ? readRoundRecipe(given, options.config, initial.config, adapterFolder)
      : readRecipe(given, options.config);
  for (const warning of warnings) tell(warning);
  const encoding = {
    maxLength: args.max_length,
    trainOnPrompt: args.train_on_prompt,
    splitLongText: args.split_long_text,
  };
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
    options.resume === undefined
      ? undefined
      : await findCheckpoint(options.resume, options.output, made);
  const adapted = adaptedModel(model.config);
  const checkpoint = from ? await openCheckpointFolder(from, made, adapted) : undefined;
  await requireWritable(options.output);
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
          hasGivenAdapter: initial !== undefined || checkpoint !== undefined,
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
    print(trainableParameters(trainer.layout.trainableCount, trainer.allParams));
    const folder = await RunFolder.open({
      path: options.output,
      settings: made,
      from: from === undefined ? undefined : { path: from, step: trainer.step },
      toFiles: (at) => writeCheckpoint(at, peft, adapted, model.path),
    });
    // A run that was ended between writing one checkpoint and removing another has one too many.
    await folder.thinAfter(trainer.step, bestStep(trainer.trainerState));
    return await runToItsEnd(trainer, folder, {
      onStep: ({ step, epoch, loss, grad_norm, learning_rate }) => {
        const line = { step, epoch, loss, grad_norm, learning_rate };
        if (dueAfter(step, args, trainer.shape).log || step === trainer.shape.totalSteps)
          print(JSON.stringify(line));
      },
      onEvaluate: ({ step, epoch, eval_loss, eval_mean_token_accuracy }) =>
        print(JSON.stringify({ step, epoch, eval_loss, eval_mean_token_accuracy })),
      loadCheckpoint: async (step) => {
        const files = await folder.readAdapter(step);
        if (files) return readCheckpointValues(files, peft, adapted);
        tell(`The best checkpoint, of step ${step}, is not there: the adapter is the last step's.`);
        return undefined;
      },
    });
  } finally {
    gpu.dispose();
  }
}

/** @returns the exit code */
async function runToItsEnd(trainer: Trainer, folder: RunFolder, told: RunOptions): Promise<number> {
  const interruption = new Interruption(() =>
    tell('Ends after this step and saves where it is; once more ends at once.'),
  );
  const { signal } = interruption;
  const saver = new CheckpointSaver({ folder, trainer, signal, patience: patienceOfTerminal() });
  try {
    await trainer.run({
      ...told,
      signal,
      gate: () => saver.saveResumePointWhenDue(),
      onCheckpoint: (at) => saver.save(at),
    });
    if (!trainer.finished) {
      await saver.saveWhereItIs();
      const { newest } = folder;
      tell(
        newest === undefined
          ? 'Ended before the first step: the same command begins again.'
          : `Ended after step ${trainer.step}: the same command with --resume ${newest} goes on.`,
      );
      return interruption.exitCode ?? 1;
    }
    await folder.keepOnlyBest(bestStep(trainer.trainerState));
    await saver.saveResult(await trainer.checkpoint());
    return 0;
  } finally {
    interruption.dispose();
  }
}

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
