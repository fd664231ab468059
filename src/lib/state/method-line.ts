/** A tuning method in a few words, the same in every language but for two names. */
import type { PeftConfig } from '../config/peft-config';

export interface MethodNames {
  readonly full: string;
  readonly prefix: string;
}

export function methodLine(peft: PeftConfig, names: MethodNames): string {
  switch (peft.peft_type) {
    case 'LORA': {
      const { use_dora, use_rslora, init_lora_weights, r, lora_alpha } = peft;
      const ranks = spanOf(r, peft.rank_pattern);
      const start = init_lora_weights === true ? '' : init_lora_weights.replace(/_niter_\d+/, '');
      const name = use_dora ? 'DoRA' : (START_NAMES[start] ?? (use_rslora ? 'rsLoRA' : 'LoRA'));
      return `${name} · r ${ranks} · alpha ${spanOf(lora_alpha, peft.alpha_pattern)}`;
    }
    case 'IA3':
      return 'IA3';
    case 'PREFIX_TUNING':
      return `${names.prefix} · ${peft.num_virtual_tokens}`;
    case 'FULL':
      return names.full;
  }
}

/** From the least to the most, where patterns give some layers another. */
function spanOf(value: number, pattern: Readonly<Record<string, number>> = {}): string {
  const all = [value, ...Object.values(pattern)];
  const bounds = [Math.min(...all), Math.max(...all)].map((bound) => Number(bound.toFixed(3)));
  return [...new Set(bounds)].join('–');
}

const START_NAMES: Readonly<Record<string, string>> = { pissa: 'PiSSA', olora: 'OLoRA' };
