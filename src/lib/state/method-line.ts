/** A tuning method in a few words, the same in every language but for two names. */
import type { PeftConfig } from '../config/peft-config';
import type { AdapterSummary, RunSummary } from '../rpc/engine-api';

export interface MethodNames {
  readonly full: string;
  readonly prefix: string;
}

export interface RunMethodNames extends MethodNames {
  readonly fourBit: string;
}

export function methodLine(peft: PeftConfig, names: MethodNames): string {
  return [nameOf(peft, names), ...sizesOf(peft)].join(' · ');
}

type MethodOfRun = Pick<RunSummary, 'peft'> & {
  training: Pick<RunSummary['training'], 'load_in_4bit'>;
};

/** Of a run, whose base may have been in four bits; LoRA is called QLoRA there. */
export function runMethodLine({ peft, training }: MethodOfRun, names: RunMethodNames): string {
  const [name, ...rest] = runMethodNames({ peft, training }, names);
  return [name, ...sizesOf(peft), ...rest].join(' · ');
}

/** Of an adapter as the run that made it is called; one that came from elsewhere tells PEFT's method alone. */
export const adapterMethodLine = (
  { peft, load_in_4bit = false }: Pick<AdapterSummary, 'peft' | 'load_in_4bit'>,
  names: RunMethodNames,
): string => runMethodLine({ peft, training: { load_in_4bit } }, names);

/** A run's without its sizes. */
export const runMethodName = (run: MethodOfRun, names: RunMethodNames): string =>
  runMethodNames(run, names).join(' · ');

function runMethodNames({ peft, training }: MethodOfRun, names: RunMethodNames): string[] {
  const name = nameOf(peft, names);
  if (!training.load_in_4bit) return [name];
  return name === 'LoRA' ? ['QLoRA'] : [name, names.fourBit];
}

function nameOf(peft: PeftConfig, names: MethodNames): string {
  switch (peft.peft_type) {
    case 'LORA': {
      const { use_dora, use_rslora, init_lora_weights } = peft;
      const start = String(init_lora_weights).replace(/_niter_\d+/, '');
      return use_dora ? 'DoRA' : (START_NAMES[start] ?? (use_rslora ? 'rsLoRA' : 'LoRA'));
    }
    case 'IA3':
      return 'IA3';
    case 'PREFIX_TUNING':
      return names.prefix;
    case 'FULL':
      return names.full;
  }
}

function sizesOf(peft: PeftConfig): string[] {
  switch (peft.peft_type) {
    case 'LORA': {
      const ranks = spanOf(peft.r, peft.rank_pattern);
      return [`r ${ranks}`, `alpha ${spanOf(peft.lora_alpha, peft.alpha_pattern)}`];
    }
    case 'PREFIX_TUNING':
      return [String(peft.num_virtual_tokens)];
    default:
      return [];
  }
}

/** From the least to the most, where patterns give some layers another. */
function spanOf(value: number, pattern: Readonly<Record<string, number>> = {}): string {
  const all = [value, ...Object.values(pattern)];
  const bounds = [Math.min(...all), Math.max(...all)].map((bound) => Number(bound.toFixed(3)));
  return [...new Set(bounds)].join('–');
}

const START_NAMES: Readonly<Record<string, string>> = { pissa: 'PiSSA', olora: 'OLoRA' };
