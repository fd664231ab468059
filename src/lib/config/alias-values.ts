/**
 * What the values of LLaMA-Factory's and axolotl's settings are under the names here, as the sources of the two say:
 * `hparams/*.py` and `model/adapter.py` of the one, `utils/schemas/*.py`, `utils/config` and `load_lora` of the other.
 * Undefined is nothing said; a value that stands for none is handed on, to be refused under its own name.
 */
import type { JsonObject } from './fields';
import { LINEAR_MODULES } from './linear-modules';

/** LLaMA-Factory's `all`, or names with commas between them. */
export function splitTargets(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (value === '') return undefined;
  if (value === 'all') return 'all-linear';
  return value.includes(',') ? value.split(',').map((name) => name.trim()) : value;
}

/** axolotl adds what is named to all linear layers where `lora_target_linear` asks for these. */
export function linearAndNamed(
  _: unknown,
  { lora_target_linear, lora_target_modules }: JsonObject,
) {
  if (lora_target_linear !== true) return lora_target_modules;
  const named: unknown[] = Array.isArray(lora_target_modules)
    ? lora_target_modules
    : [lora_target_modules ?? 'all-linear'];
  const isLinear = (name: unknown) => [...LINEAR_MODULES, 'all-linear'].some((one) => one === name);
  return named.every(isLinear) ? 'all-linear' : [...LINEAR_MODULES, ...named];
}

export const linearAlone = (value: unknown, settings: JsonObject): unknown =>
  value === true ? linearAndNamed(value, settings) : undefined;

const FINETUNING_TYPES: ReadonlyMap<unknown, unknown> = new Map([
  ['lora', 'LORA'],
  ['full', 'FULL'],
]);

export const methodOfFinetuningType = (value: unknown): unknown =>
  FINETUNING_TYPES.get(value) ?? value;

/** axolotl trains every parameter where its adapter is left blank. */
export const methodOfAdapter = (value: unknown): unknown =>
  value === null || value === '' ? 'FULL' : value === 'lora' || value === 'qlora' ? 'LORA' : value;

export const bitsOfAdapter = (value: unknown): unknown => (value === 'qlora' ? true : undefined);

/** Other numbers of bits are told as not used. */
export const fourBits = (value: unknown): unknown => (value === 4 ? true : undefined);

/** LLaMA-Factory takes twice its rank where it finds null. */
export const alphaOfRank = (value: unknown, { lora_rank }: JsonObject): unknown =>
  value === null && typeof lora_rank === 'number' ? 2 * lora_rank : value;

/** By `pissa_iter` rounds, -1 for the decomposition itself. */
export function pissaInit(value: unknown, { pissa_iter }: JsonObject): unknown {
  if (value === false) return undefined;
  if (value !== true) return value;
  return pissa_iter === undefined || pissa_iter === null || pissa_iter === -1
    ? 'pissa'
    : `pissa_niter_${String(pissa_iter)}`;
}

/** Where kept activations wait changes no bit. */
export const withoutOffload = (value: unknown): unknown =>
  ['offload', 'offload_disk', 'unsloth'].some((one) => one === value) ? true : value;

export const not = (value: unknown): unknown => (typeof value === 'boolean' ? !value : value);
/** Where the other program asks whether a setting is on before it takes its value. */
export const unlessFalse = (value: unknown): unknown => (value === false ? undefined : value);

/** axolotl's `batch_size` counts the rows of a whole step. */
export function accumulationOf(value: unknown, { micro_batch_size: rows }: JsonObject): unknown {
  if (typeof value !== 'number' || typeof rows !== 'number') return undefined;
  const steps = value / rows;
  return Number.isSafeInteger(steps) && steps > 0 ? steps : undefined;
}

// --- so many times an epoch -----------------------------------------------------------------------

/** The epochs of a run that says nothing of them, as in `DEFAULT_TRAINING_ARGUMENTS`. */
const EPOCHS = 3;

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) > 0;

/** Once is an epoch's end; more often is a share of all steps. */
export const strategyOf = (value: unknown): unknown =>
  value === 0 ? undefined : isCount(value) ? (value === 1 ? 'epoch' : 'steps') : value;

/** With a strategy of its own the file may mean other steps, or none. */
const meansSteps = (strategy: unknown): boolean =>
  strategy === undefined || strategy === null || strategy === 'steps';

export const saveStepsOf = (value: unknown, settings: JsonObject): unknown =>
  meansSteps(settings.save_strategy) ? stepsOf(value, settings) : undefined;

function stepsOf(value: unknown, settings: JsonObject): unknown {
  if (!isCount(value) || value === 1) return undefined;
  const epochs = settings.num_train_epochs ?? settings.num_epochs ?? EPOCHS;
  const share = 1 / (value * Number(epochs));
  // Of less than an epoch: once, at its end.
  return share > 0 && share <= 1 ? share : 1;
}

/** axolotl evaluates on nothing where nothing is held back. */
const holdsNothing = ({ val_set_size, test_datasets }: JsonObject): boolean =>
  val_set_size === 0 && (test_datasets === undefined || test_datasets === null);

export const evalStrategyOf = (value: unknown, settings: JsonObject): unknown =>
  isCount(value) && holdsNothing(settings) ? 'no' : strategyOf(value);

export const evalStepsOf = (value: unknown, settings: JsonObject): unknown =>
  holdsNothing(settings) || !meansSteps(settings.eval_strategy)
    ? undefined
    : stepsOf(value, settings);
