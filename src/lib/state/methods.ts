/** The tuning methods as the page offers them: which PEFT config each one is, and the rates it learns well at. */
import type { Ia3Config, LoraConfig, PeftConfig, PrefixTuningConfig } from '../config';
import { FULL_TUNING, startsFromWeights } from '../config';

export const METHODS = ['lora', 'dora', 'ia3', 'prefix', 'full'] as const;
export type Method = (typeof METHODS)[number];

/** The options of every method side by side: leaving one forgets nothing. LoRA and DoRA share theirs. */
export interface MethodOptions {
  method: Method;
  lora: LoraConfig;
  ia3: Ia3Config;
  prefix: PrefixTuningConfig;
}

/** Learning rates: the range that papers and PEFT's examples stay in, and where to begin. */
export interface Rates {
  low: number;
  usual: number;
  high: number;
}

export const RATES: Readonly<Record<Method, Rates>> = {
  lora: { low: 1e-4, usual: 2e-4, high: 5e-4 },
  dora: { low: 1e-4, usual: 2e-4, high: 5e-4 },
  ia3: { low: 5e-3, usual: 5e-3, high: 1e-2 },
  prefix: { low: 1e-2, usual: 1e-2, high: 3e-2 },
  full: { low: 1e-5, usual: 2e-5, high: 5e-5 },
};

export const usesLora = (method: Method): boolean => method === 'lora' || method === 'dora';

export function peftOf({ method, lora, ia3, prefix }: MethodOptions): PeftConfig {
  switch (method) {
    case 'lora':
      return lora;
    case 'dora':
      return doraOf(lora);
    case 'ia3':
      return ia3;
    case 'prefix':
      return prefix;
    case 'full':
      return FULL_TUNING;
  }
}

/** `peftOf` the other way: options of other methods stay. */
export function withPeft<Options extends MethodOptions>(
  options: Options,
  peft: PeftConfig,
): Options {
  const method = methodOf(peft);
  switch (peft.peft_type) {
    case 'LORA':
      return { ...options, method, lora: { ...peft, use_dora: false } };
    case 'IA3':
      return { ...options, method, ia3: peft };
    case 'PREFIX_TUNING':
      return { ...options, method, prefix: peft };
    case 'FULL':
      return { ...options, method };
  }
}

/** Of an adapter that is there already. */
export function methodOf(peft: PeftConfig): Method {
  switch (peft.peft_type) {
    case 'LORA':
      return peft.use_dora ? 'dora' : 'lora';
    case 'IA3':
      return 'ia3';
    case 'PREFIX_TUNING':
      return 'prefix';
    case 'FULL':
      return 'full';
  }
}

/** Options that make an adapter what it is: a run that goes on from one has them from it. */
const OF_ADAPTER: ReadonlySet<string> = new Set([
  ...['r', 'lora_alpha', 'lora_dropout', 'bias', 'use_rslora', 'init_lora_weights'],
  'num_virtual_tokens',
]);
export const isOfAdapter = (option: string): boolean => OF_ADAPTER.has(option);

/** DoRA goes with the starts that leave the base alone; in place of PiSSA and OLoRA it starts as PEFT does. */
const doraOf = (lora: LoraConfig): LoraConfig => ({
  ...lora,
  use_dora: true,
  init_lora_weights: startsFromWeights(lora) ? true : lora.init_lora_weights,
});
