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
      const start = init_lora_weights === true ? '' : init_lora_weights.replace(/_niter_\d+/, '');
      const name = use_dora ? 'DoRA' : (START_NAMES[start] ?? (use_rslora ? 'rsLoRA' : 'LoRA'));
      return `${name} · r ${r} · alpha ${Number(lora_alpha.toFixed(3))}`;
    }
    case 'IA3':
      return 'IA3';
    case 'PREFIX_TUNING':
      return `${names.prefix} · ${peft.num_virtual_tokens}`;
    case 'FULL':
      return names.full;
  }
}

const START_NAMES: Readonly<Record<string, string>> = { pissa: 'PiSSA', olora: 'OLoRA' };
