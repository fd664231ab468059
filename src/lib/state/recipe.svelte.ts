/** What the Train page fills in: PEFT's and TrainingArguments' options, and where they came from. */
import {
  COMMON_RECIPE,
  DEFAULT_IA3_CONFIG,
  DEFAULT_PREFIX_CONFIG,
  LINEAR_MODULES,
  moduleList,
  type Ia3Config,
  type LinearModule,
  type LoraConfig,
  type LrSchedulerKwargs,
  type PeftConfig,
  type PrefixTuningConfig,
  type TrainingArguments,
} from '../config';
import { withAdvice, type TrainingAdvice } from './advised-form';
import { engine } from './engine.svelte';
import { valueOfChoice } from './choice-values';
import {
  NOTHING_CHOSEN,
  withChoices,
  withDataDefaults,
  type DataQuestions,
  type OwnChoices,
} from './data-defaults';
import {
  isOfAdapter,
  methodOf,
  peftOf,
  RATES,
  usesLora,
  withPeft,
  type Method,
  type MethodOptions,
} from './methods';
import { withoutWritten } from './form-layers';
import { UNTOUCHED_FORM, type KeptForm, type KeptOptions } from './kept-form';
import type { ChoiceOption, SwitchOption } from './recipe-groups';
import { findConflict, type Conflict } from './recipe-conflicts';
import type { RecipeParts } from './recommended-recipe';
import { fitSchedule, shownSchedule, withScheduleOption } from './recipe-schedule';
import { presetOf, withPreset, type Preset } from './presets';
import {
  isAllowed,
  isNullAtZero,
  optionsOf,
  shownNumbers,
  type NumberOption,
} from './recipe-limits';
import { sampleAsking } from './sample-asking.svelte';
import type { ReadSettings } from './read-settings';
import { readSuggestion } from './suggestion';

type LoadedOptions = Pick<ReadSettings, 'peft' | 'training' | 'splitIsOwn'>;

interface Parts extends MethodOptions {
  training: TrainingArguments;
}

/** Back to the recipe before a change. */
export interface WayBack {
  /** Nothing has been changed since; reactive. */
  isOpen(): boolean;
  go(): void;
}

const partsOf = ({ lora, training }: RecipeParts): Parts => ({
  method: 'lora',
  lora: { ...lora },
  ia3: DEFAULT_IA3_CONFIG,
  prefix: DEFAULT_PREFIX_CONFIG,
  training: { ...training },
});

const SCHEDULE_OPTIONS = shownSchedule({ lr_scheduler_type: 'linear', lr_scheduler_kwargs: null });
const isOfSchedule = (name: string): name is keyof LrSchedulerKwargs => name in SCHEDULE_OPTIONS;

class Recipe {
  #parts = $state.raw<Parts>(partsOf(COMMON_RECIPE));
  /** An edited recipe is the person's own and is never replaced unasked. */
  origin = $state<'common' | 'recommended' | 'edited'>('common');
  evalShare = $state(UNTOUCHED_FORM.evalShare);
  counts = $state.raw<{ trainableParams: number; allParams: number }>();
  /** The person chose the learning rate; a method may then only suggest another. */
  #rateIsOwn = $state(false);
  /** What the person chose of that which else follows the data. */
  #own = $state.raw<OwnChoices>(NOTHING_CHOSEN);
  #data = $state.raw<DataQuestions>({
    holdsBack: () => this.evalShare > 0,
    isText: () => false,
  });
  /** The rate that LoRA was tuned to for this model and data. */
  #tunedRate = $state<number>();

  /** Of the adapter that the run goes on from: its method and options stay as they are. */
  locked = $state.raw<PeftConfig>();
  /** What the form held before an adapter was chosen. */
  #before: { parts: Parts; origin: Recipe['origin']; own: OwnChoices } | undefined;

  readonly method = $derived(this.locked ? methodOf(this.locked) : this.#parts.method);
  readonly lora = $derived(this.locked?.peft_type === 'LORA' ? this.locked : this.#parts.lora);
  readonly ia3 = $derived(this.locked?.peft_type === 'IA3' ? this.locked : this.#parts.ia3);
  readonly prefix = $derived(
    this.locked?.peft_type === 'PREFIX_TUNING' ? this.locked : this.#parts.prefix,
  );
  /** Full fine-tuning goes with no base in four bits; the choice stays for the other methods. */
  readonly training: TrainingArguments = $derived.by(() => {
    const data = { holdsBack: this.#data.holdsBack(), isText: this.#data.isText() };
    const args = withDataDefaults(this.#parts.training, this.#own, data);
    return this.method === 'full' && args.load_in_4bit ? { ...args, load_in_4bit: false } : args;
  });
  /** What goes into the request. It stays the same object until an option of the method changes. */
  readonly peft = $derived(
    this.locked ??
      peftOf({ method: this.method, lora: this.lora, ia3: this.ia3, prefix: this.prefix }),
  );
  readonly preset = $derived(presetOf(this.#parts));
  readonly numbers: Readonly<Record<NumberOption, number>> = $derived({
    ...this.lora,
    ...this.prefix,
    ...this.training,
    ...shownNumbers(this.training),
    ...shownSchedule(this.training),
  });
  readonly choices: Readonly<Record<ChoiceOption | SwitchOption, unknown>> = $derived({
    ...(this.peft.peft_type === 'LORA' ? this.peft : this.lora),
    ...shownSchedule(this.training),
    ...this.training,
    metric_for_best_model: this.training.metric_for_best_model ?? 'none',
    greater_is_better: this.training.greater_is_better ?? 'auto',
  });
  /** Modules that the method is put on; undefined where it has no such choice, or boxes cannot show it. */
  readonly targets: readonly LinearModule[] | undefined = $derived(
    'target_modules' in this.peft ? moduleList(this.peft.target_modules) : undefined,
  );
  readonly valid = $derived(
    this.targets?.length !== 0 &&
      sampleAsking.valid &&
      optionsOf(this.method, this.training.lr_scheduler_type)
        .filter((name) => !this.locked || !isOfAdapter(name))
        .every((name) => isAllowed(name, this.numbers[name])),
  );
  /** A rate that suits the method, where the one in the field lies outside its range. */
  readonly suggestedRate: number | undefined = $derived.by(() => {
    const { low, high } = RATES[this.method];
    const rate = this.training.learning_rate;
    const suggested = this.#rateFor(this.method);
    return (rate >= low && rate <= high) || rate === suggested ? undefined : suggested;
  });

  /** @param data whether it leaves rows to evaluate on, and is plain text; read again whenever that changes */
  followData(data: DataQuestions): void {
    this.#data = data;
  }

  /**
   * Takes over an adapter's own options and, where its run is known, how that was trained; undefined brings
   * back what the form held before.
   */
  goOnFrom(
    adapter: ({ peft: PeftConfig; training?: TrainingArguments } & Partial<OwnChoices>) | undefined,
  ): void {
    if (this.locked && this.#before) {
      this.#parts = this.#before.parts;
      this.origin = this.#before.origin;
      this.#own = this.#before.own;
      this.#before = undefined;
    }
    this.locked = adapter?.peft;
    if (!adapter) return;
    this.#before = { parts: this.#parts, origin: this.origin, own: this.#own };
    // What an earlier run did by default is no choice for this one, whose data may hold nothing back.
    const { evaluationIsOwn = false, splitIsOwn = false } = adapter;
    if (adapter.training) this.#own = { evaluationIsOwn, splitIsOwn };
    const learning_rate = this.#rateIsOwn
      ? this.training.learning_rate
      : this.#rateFor(this.method);
    this.#edit({
      ...this.#parts,
      training: { ...this.#parts.training, learning_rate, ...adapter.training },
    });
  }

  /** Settings from elsewhere are the person's choice from now on. A method of an adapter stays. */
  load({ peft, training, splitIsOwn }: LoadedOptions): void {
    const parts = peft && !this.locked ? withPeft(this.#parts, peft) : this.#parts;
    if (training) {
      this.#rateIsOwn = true;
      this.#own = { evaluationIsOwn: true, splitIsOwn };
    }
    const learning_rate = this.#rateIsOwn
      ? parts.training.learning_rate
      : this.#rateFor(parts.method);
    this.#edit({ ...parts, training: training ?? { ...parts.training, learning_rate } });
  }

  /** As it outlives the page; of a run from an adapter what the form held before, and how it will be trained. */
  keep(): Pick<KeptForm, 'options'> & { start: Omit<NonNullable<KeptForm['start']>, 'adapterId'> } {
    const now = { parts: this.#parts, origin: this.origin, own: this.#own };
    const { parts, origin, own } = this.#before ?? now;
    const flags = { rateIsOwn: this.#rateIsOwn, ...own, tunedRate: this.#tunedRate };
    return {
      options: origin === 'edited' ? { ...parts, ...flags } : origin,
      start: { training: now.parts.training, ...now.own },
    };
  }

  bringBack(options: KeptForm['options']): void {
    this.goOnFrom(undefined);
    // A recipe that follows model and data is found anew.
    if (typeof options === 'string') this.useCommon();
    else this.#bringBack(options);
  }

  #bringBack({ rateIsOwn, evaluationIsOwn, splitIsOwn, tunedRate, ...parts }: KeptOptions): void {
    this.#edit(parts);
    this.#rateIsOwn = rateIsOwn;
    this.#own = { evaluationIsOwn, splitIsOwn };
    this.#tunedRate = tunedRate;
  }

  /** The options of the method left behind stay for when it is chosen again. */
  chooseMethod(method: Method): void {
    const learning_rate = this.#rateIsOwn ? this.training.learning_rate : this.#rateFor(method);
    this.#edit({ ...this.#parts, method, training: { ...this.#parts.training, learning_rate } });
  }

  /** @param tuned the recipe for the form's model and data, where there is one */
  useAdvice(advice: TrainingAdvice, tuned: RecipeParts | undefined): void {
    const parts = withAdvice(this.#parts, advice, tuned);
    this.#edit(parts);
    this.chooseMethod(parts.method);
  }

  setLora(part: Partial<LoraConfig>): void {
    this.#edit({ ...this.#parts, lora: { ...this.#parts.lora, ...part } });
  }

  setIa3(part: Partial<Ia3Config>): void {
    this.#edit({ ...this.#parts, ia3: { ...this.#parts.ia3, ...part } });
  }

  setPrefix(part: Partial<PrefixTuningConfig>): void {
    this.#edit({ ...this.#parts, prefix: { ...this.#parts.prefix, ...part } });
  }

  setTraining(part: Partial<TrainingArguments>): void {
    if (part.learning_rate !== undefined) this.#rateIsOwn = true;
    this.#own = withChoices(this.#own, part);
    this.#edit({ ...this.#parts, training: { ...this.#parts.training, ...part } });
  }

  useSuggestedRate(): void {
    this.#rateIsOwn = false;
    this.chooseMethod(this.method);
  }

  setNumber(name: NumberOption, value: number): void {
    if (name in this.lora) this.setLora({ [name]: value });
    else if (name in this.prefix) this.setPrefix({ [name]: value });
    else if (isOfSchedule(name)) this.#setScheduleOption(name, value);
    else if (isNullAtZero(name)) this.setTraining({ [name]: value === 0 ? null : value });
    else this.setTraining({ [name]: value });
  }

  /** Takes over what the engine suggests for a run that does not fit. */
  applySuggestion(suggestion: string): void {
    for (const change of readSuggestion(suggestion))
      if (change.kind === 'method') this.load({ peft: change.peft, splitIsOwn: false });
      else if (change.kind === 'number') this.setNumber(change.name, change.value);
      else this.setChoice(change.name, change.value);
  }

  setChoice(name: ChoiceOption | SwitchOption, value: string | boolean): void {
    const found = valueOfChoice(name, value);
    if (name in this.lora) this.setLora({ [name]: found });
    else if (isOfSchedule(name)) this.#setScheduleOption(name, String(value));
    else this.setTraining({ [name]: found });
  }

  /** Turns a switch as one that is offered: it can be taken back until the recipe is changed again. */
  turn(name: SwitchOption, on: boolean): WayBack {
    const { origin } = this;
    const before = this.#parts;
    this.setChoice(name, on);
    const after = this.#parts;
    return {
      isOpen: () => this.#parts === after,
      go: () => {
        if (this.#parts !== after) return;
        this.#parts = before;
        this.origin = origin;
      },
    };
  }

  /** @param heldBack whether rows are held back to evaluate on */
  conflict(heldBack: boolean): Conflict | undefined {
    const { method, training, peft } = this;
    return findConflict(training, { method, peft, heldBack, f16: engine.device?.f16 ?? true });
  }

  mend({ fix }: Conflict): void {
    if (fix.training) {
      this.#own = withChoices(this.#own, fix.training);
      this.#edit({ ...this.#parts, training: { ...this.#parts.training, ...fix.training } });
    }
    if (fix.lora) this.setLora(fix.lora);
    if (fix.evalShare !== undefined) this.evalShare = fix.evalShare;
  }

  #setScheduleOption(name: keyof LrSchedulerKwargs, value: number | string): void {
    this.setTraining({ lr_scheduler_kwargs: withScheduleOption(this.training, name, value) });
  }

  /** @param modules the method's `target_modules`; a new one is scaled where PEFT scales it */
  setTargets(modules: readonly LinearModule[]): void {
    const target_modules = LINEAR_MODULES.filter((module) => modules.includes(module));
    if (usesLora(this.method)) this.setLora({ target_modules });
    else
      this.setIa3({
        target_modules,
        feedforward_modules: target_modules.filter((module) =>
          this.ia3.target_modules.includes(module)
            ? this.ia3.feedforward_modules.includes(module)
            : DEFAULT_IA3_CONFIG.feedforward_modules.includes(module),
        ),
      });
  }

  dropWritten(): void {
    const name = usesLora(this.method) ? 'lora' : 'ia3';
    const config: LoraConfig | Ia3Config = this.#parts[name];
    this.#edit({ ...this.#parts, [name]: withoutWritten(config) });
  }

  usePreset(preset: Preset): void {
    const parts = withPreset(this.#parts, preset);
    const followsRate = parts.method !== this.method && !this.#rateIsOwn;
    const learning_rate = followsRate ? this.#rateFor(parts.method) : parts.training.learning_rate;
    this.#edit({ ...parts, training: { ...parts.training, learning_rate } });
  }

  useCommon(): void {
    this.#replace(COMMON_RECIPE, undefined);
    this.origin = 'common';
  }

  useRecommended(parts: RecipeParts): void {
    this.#replace(parts, parts.training.learning_rate);
    this.origin = 'recommended';
  }

  /** Asks what PEFT would print. */
  async count(modelId: string): Promise<void> {
    const { peft } = this;
    if (!this.valid) {
      this.counts = undefined;
      return;
    }
    try {
      const counts = await engine.call((api) => api.countParameters({ modelId, peft }));
      if (peft === this.peft) this.counts = counts;
    } catch {
      this.counts = undefined;
    }
  }

  #rateFor(method: Method): number {
    return (usesLora(method) ? this.#tunedRate : undefined) ?? RATES[method].usual;
  }

  /** LoRA's options and the training's; those of the other methods stay. */
  #replace(parts: RecipeParts, tunedRate: number | undefined): void {
    const { ia3, prefix } = this.#parts;
    this.#parts = { ...partsOf(parts), ia3, prefix };
    this.#tunedRate = tunedRate;
    this.#rateIsOwn = false;
    this.#own = NOTHING_CHOSEN;
  }

  #edit(parts: Parts): void {
    this.#parts = { ...parts, training: fitSchedule(parts.training) };
    this.origin = 'edited';
  }
}

/** As PEFT's `print_trainable_parameters` prints it, in every language. */
export function trainableLine(trainableParams: number, allParams: number): string {
  const n = (value: number) => value.toLocaleString('en-US');
  const share = allParams > 0 ? (100 * trainableParams) / allParams : 0;
  return `trainable params: ${n(trainableParams)} || all params: ${n(allParams)} || trainable%: ${share.toFixed(4)}`;
}

export const recipe = new Recipe();
