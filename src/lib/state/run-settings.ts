/** The settings of one run that are not the form's own, as PEFT and transformers would write them. Pure. */
import { COMMON_RECIPE, defaultPeftConfig } from '../config';
import type { RunSummary } from '../rpc/engine-api';
import { settingTexts } from './compare-runs';
import { withDefaultEvaluation } from './eval-default';

export interface WrittenSetting {
  /** Verbatim from outside: `lr_scheduler_type`. */
  name: string;
  value: string;
}

/** Told of every run, whatever they are. */
const ALWAYS_TOLD: ReadonlySet<string> = new Set([
  ...['peft_type', 'use_dora', 'r', 'lora_alpha', 'num_virtual_tokens', 'load_in_4bit'],
  ...['learning_rate', 'num_train_epochs', 'max_steps'],
  ...['per_device_train_batch_size', 'gradient_accumulation_steps'],
]);

/** What says the same as an option that is not there. */
const NOTHING: readonly string[] = ['null', '{}', ''];

/** Those that differ from what the form begins with, the ones that are told of every run left out. */
export function changedSettings({
  peft,
  training,
  evalShare,
  evalDatasetId,
}: Pick<RunSummary, 'peft' | 'training' | 'evalShare' | 'evalDatasetId'>): WrittenSetting[] {
  const heldBack = evalDatasetId !== undefined || evalShare > 0;
  const usual = settingTexts({
    ...(peft.peft_type === 'LORA' ? COMMON_RECIPE.lora : defaultPeftConfig(peft.peft_type)),
    ...withDefaultEvaluation(COMMON_RECIPE.training, heldBack),
  });
  const said = (value: string | undefined) =>
    value === undefined || NOTHING.includes(value) ? undefined : value;
  return [...settingTexts({ ...peft, ...training })]
    .filter(([name, value]) => !ALWAYS_TOLD.has(name) && said(value) !== said(usual.get(name)))
    .map(([name, value]) => ({ name, value }));
}
