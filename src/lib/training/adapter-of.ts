/** What a run has made, in the form that it is kept and given away in. */
import { startsFromWeights, type LoraConfig, type PeftConfig } from '../config';
import {
  layoutAdapter,
  plainLoraConfig,
  toPlainLora,
  type AdaptedModel,
  type AdapterLayout,
  type LoadedAdapter,
} from '../peft';
import type { Checkpoint } from './run-options';

/** The adapter as the world knows it: what PiSSA and OLoRA taught is a plain LoRA of twice the rank. */
export function adapterOf(
  { values, initial }: Pick<Checkpoint, 'values' | 'initial'>,
  config: PeftConfig,
  model: AdaptedModel,
): LoadedAdapter {
  if (initial && isFactored(config)) return toPlainLora(config, model, values, initial);
  return { config, layout: layoutAdapter(model, config), values };
}

/** Of the adapter that a run with these options will have made, as its files say it. */
export const keptConfig = (config: PeftConfig): PeftConfig =>
  isFactored(config) ? plainLoraConfig(config) : config;

export const keptLayout = (config: PeftConfig, model: AdaptedModel): AdapterLayout =>
  layoutAdapter(model, keptConfig(config));

export const isFactored = (config: PeftConfig): config is LoraConfig =>
  config.peft_type === 'LORA' && startsFromWeights(config);
