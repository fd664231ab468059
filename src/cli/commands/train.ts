/** `train --model DIR --dataset FILE --config FILE.json [--init-adapter DIR] --output DIR` */
import { join } from 'node:path';
import {
  parseJsonObject,
  readPeftConfig,
  readTrainingArguments,
  type ModelConfig,
  type PeftConfig,
} from '$lib/config';
import { adaptedModel, ModelWeights } from '$lib/decoder';
import { layoutAdapter, PeftError, type LoadedAdapter } from '$lib/peft';
import {
  surplusCheckpoints,
  TRAINER_STATE_FILE,
  Trainer,
  writeCheckpoint,
  type Checkpoint,
} from '$lib/training';
import { readText, removeFolder, writeFileAtomically } from '../disk';
import { requestNodeGpu } from '../gpu';
import { openAdapterFolder, openModelFolder } from '../model-folder';
import { readRows } from '../rows';

export interface TrainOptions {
  model: string;
  dataset: string;
  config: string;
  output: string;
  'init-adapter'?: string;
}

export async function train(options: TrainOptions): Promise<void> {
  const settings = parseJsonObject(await readText(options.config), options.config);
  const peft = readPeftConfig(settings, options.config);
  const args = readTrainingArguments(settings, options.config);
  const model = await openModelFolder(options.model);
  const rows = await readRows(options.dataset, options.model, {
    maxLength: args.max_length,
    trainOnPrompt: args.train_on_prompt,
  });
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
    const trainer = await Trainer.create({ gpu, config, weights, peft, args, rows, initialValues });
    const { trainableCount } = trainer.layout;
    process.stdout.write(`${trainableParameters(trainableCount, trainer.allParams)}\n`);
    const save = async (checkpoint: Checkpoint, folder: string, only?: readonly string[]) => {
      const files = writeCheckpoint(checkpoint, peft, adaptedModel(config), model.name);
      for (const [name, bytes] of files)
        if (!only || only.includes(name)) await writeFileAtomically(join(folder, name), bytes);
    };
    // Only what this run wrote is ever removed, whatever else lies in the output folder.
    let written: number[] = [];
    const folderOf = (step: number) => join(options.output, `checkpoint-${step}`);
    await trainer.run({
      onStep: ({ step, epoch, loss, grad_norm, learning_rate }) => {
        const line = { step, epoch, loss, grad_norm, learning_rate };
        if (step % args.logging_steps === 0 || step === trainer.shape.totalSteps)
          process.stdout.write(`${JSON.stringify(line)}\n`);
      },
      onCheckpoint: async (checkpoint) => {
        const { global_step: step } = checkpoint.state;
        await save(checkpoint, folderOf(step));
        written = [...written, step];
        const surplus = surplusCheckpoints(written, step, args.save_total_limit);
        for (const old of surplus) await removeFolder(folderOf(old));
        written = written.filter((other) => !surplus.includes(other));
      },
    });
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

const summary = (config: PeftConfig): string =>
  Object.entries(config)
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(', ');

/** As PEFT's `print_trainable_parameters` prints it. */
export function trainableParameters(trainable: number, all: number): string {
  const group = (count: number) => count.toLocaleString('en-US');
  const share = ((100 * trainable) / all).toFixed(4);
  return `trainable params: ${group(trainable)} || all params: ${group(all)} || trainable%: ${share}`;
}
