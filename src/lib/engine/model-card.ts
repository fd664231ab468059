/**
 * README.md of an adapter that is taken away: the front matter that PEFT 0.21 writes, and what is known of the
 * training. In it is nothing of the data but its name and size, no licence, and nothing that a person has written
 * elsewhere; nor a date or a time, so that two runs that learned the same have the same card.
 */
import {
  DEFAULT_TRAINING_ARGUMENTS,
  parseJsonObject,
  startsFromWeights,
  type PeftConfig,
  type TrainingArguments,
} from '../config';
import { ADAPTER_CONFIG_FILE, PEFT_VERSION } from '../peft';
import type { RunDataset, RunSummary } from '../rpc/engine-api';
import { hubRepoOf, type TakenAdapter } from './base-model';

export const MODEL_CARD_FILE = 'README.md';

/** Told even where they are the Trainer's defaults. */
const ALWAYS_TOLD: readonly (keyof TrainingArguments)[] = [
  ...(['learning_rate', 'lr_scheduler_type', 'optim', 'seed', 'max_length'] as const),
  ...(['per_device_train_batch_size', 'gradient_accumulation_steps', 'num_train_epochs'] as const),
];

export function writeModelCard(taken: TakenAdapter): string {
  const { adapter, run, model, configJson } = taken;
  const { base_model_name_or_path: named } = parseJsonObject(configJson, ADAPTER_CONFIG_FILE);
  const repo = hubRepoOf(model);
  // Of an adapter from elsewhere its own config has the word.
  const onHub = named === repo ? repo : undefined;
  const base = onHub ? `[${onHub}](https://huggingface.co/${onHub})` : textOf(model.name);
  const isTrained = adapter.origin === 'trained';
  const { peft_type } = adapter.peft;
  const method = nameOf(isTrained && run ? run.peft : adapter.peft, adapter.load_in_4bit);
  return [
    ...frontMatter(peft_type, onHub),
    `# ${method} for ${textOf(model.name)}`,
    '',
    isTrained
      ? `Made from ${base} with Inkstone, in a browser, on the device of the person who made it; the data it was trained on was sent nowhere.`
      : `For ${base}. It was brought into Inkstone as it is, and what it was trained on is not known there.`,
    ...(run ? [...dataOf(run), ...trainingOf(run, adapter.step)] : []),
    ...useOf(peft_type, onHub),
    '### Format',
    '',
    `The files are those of PEFT ${PEFT_VERSION}, written by Inkstone.`,
    '',
  ].join('\n');
}

/** In the order of huggingface_hub's ModelCardData and with PEFT's tags (peft/peft_model.py:1680, :1702). */
function frontMatter(type: PeftConfig['peft_type'], repo: string | undefined): string[] {
  const isPeft = type !== 'FULL';
  const tags = [
    ...(repo && isPeft ? [`base_model:adapter:${repo}`] : []),
    ...(type === 'LORA' ? ['lora'] : []),
    'transformers',
  ];
  return [
    '---',
    ...(repo ? [`base_model: ${repo}`] : []),
    ...(isPeft ? ['library_name: peft'] : []),
    'pipeline_tag: text-generation',
    'tags:',
    ...tags.map((tag) => `- ${tag}`),
    '---',
    '',
  ];
}

function nameOf(peft: PeftConfig, fourBit = false): string {
  switch (peft.peft_type) {
    case 'LORA':
      if (peft.use_dora) return 'A DoRA adapter';
      if (peft.use_rslora) return 'A rank-stabilised LoRA adapter';
      return `A ${fourBit ? 'QLoRA' : 'LoRA'} adapter`;
    case 'IA3':
      return 'An IA3 adapter';
    case 'PREFIX_TUNING':
      return 'A prefix';
    case 'FULL':
      return 'All parameters, tuned,';
  }
}

function dataOf({ provenance, evalShare, leaveOut = [] }: RunSummary): string[] {
  if (!provenance) return ['', '## Training data', '', 'It was not written down.'];
  const { dataset, evalDataset } = provenance;
  const share = Math.round(1000 * evalShare) / 10;
  return [
    '',
    '## Training data',
    '',
    `- Learned from: ${described(dataset)}`,
    ...(leaveOut.length > 0 ? [`- Left out of it: ${leaveOut.join(', ')} rows`] : []),
    ...(evalDataset ? [`- Held back for evaluation: ${described(evalDataset)}`] : []),
    ...(!evalDataset && share > 0 ? [`- Held back for evaluation: ${share} % of the rows`] : []),
    '',
    'No row of it is in this folder.',
  ];
}

const described = ({ name, rowCount, schema }: RunDataset) =>
  `${textOf(name)}, ${rowCount} rows (${textOf(schema)})`;

function trainingOf(run: RunSummary, step = run.step): string[] {
  const { peft, training, totalSteps, trainableParams, allParams, startedFrom } = run;
  const args: TrainingArguments = { ...DEFAULT_TRAINING_ARGUMENTS, ...training };
  const names = (Object.keys(DEFAULT_TRAINING_ARGUMENTS) as (keyof TrainingArguments)[]).filter(
    (name) => ALWAYS_TOLD.includes(name) || !isSame(args[name], DEFAULT_TRAINING_ARGUMENTS[name]),
  );
  const settings: [string, unknown][] = [
    ...Object.entries(peft),
    ...names.map((name): [string, unknown] => [name, args[name]]),
  ];
  return [
    '',
    '## Training procedure',
    '',
    ...(startedFrom ? ['- Began with another adapter, trained before'] : []),
    `- Step ${step} of ${totalSteps}`,
    `- Trained parameters: ${trainableParams} of ${allParams}`,
    ...figuresOf(run, step),
    '',
    '### Settings',
    '',
    '| name | value |',
    '| --- | --- |',
    ...settings.map(([name, value]) => `| ${name} | ${textOf(shown(value))} |`),
    ...(startsOtherwise(peft)
      ? ['', 'What was learned is here as a plain LoRA of twice the rank, for the base as it is.']
      : []),
  ];
}

/** The last that were logged up to this step. */
function figuresOf({ log }: RunSummary, step: number): string[] {
  const upTo = log.filter((entry) => entry.step <= step);
  const trained = upTo.findLast((entry) => 'loss' in entry);
  const evaluated = upTo.findLast((entry) => 'eval_loss' in entry);
  const accuracy = evaluated?.eval_mean_token_accuracy;
  return [
    ...(trained ? [`- Training loss at step ${trained.step}: ${digits(trained.loss)}`] : []),
    ...(evaluated
      ? [`- Evaluation loss at step ${evaluated.step}: ${digits(evaluated.eval_loss)}`]
      : []),
    ...(accuracy === undefined ? [] : [`- Token accuracy there: ${digits(accuracy)}`]),
  ];
}

const digits = (value: number) => value.toFixed(4);

const startsOtherwise = (peft: PeftConfig) => peft.peft_type === 'LORA' && startsFromWeights(peft);

function useOf(type: PeftConfig['peft_type'], repo: string | undefined): string[] {
  if (!repo || type === 'FULL') return [''];
  return [
    '',
    '## How to use',
    '',
    '```python',
    'from peft import AutoPeftModelForCausalLM',
    'from transformers import AutoTokenizer',
    '',
    'model = AutoPeftModelForCausalLM.from_pretrained("PATH_TO_THIS_FOLDER")',
    `tokenizer = AutoTokenizer.from_pretrained("${repo}")`,
    '```',
    '',
  ];
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return value.map(shown).join(', ');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const isSame = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** Words of a person, as one line that no reader takes for markup. */
const textOf = (words: string): string =>
  words
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .slice(0, 200)
    .replace(/[\\`*_{}[\]<>#|~!]/g, '\\$&');
