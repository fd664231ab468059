/**
 * Choices of a recipe that do not go together, before a run would be refused for them: what is wrong, with the
 * numbers that a sentence needs, and the smallest change that mends it. The rules are those of config/ and training/.
 */
import {
  canStartAt,
  evaluatesItself,
  evalStepsOf,
  type LoraConfig,
  type PeftConfig,
  type SaveStrategy,
  type EvalStrategy,
  type TrainingArguments,
} from '../config';
import type { Method } from './methods';

export type Conflict = {
  /** The change that one press makes. */
  readonly fix: {
    readonly training?: Partial<TrainingArguments>;
    readonly lora?: Pick<LoraConfig, 'r'>;
    readonly evalShare?: number;
  };
} & (
  | { readonly kind: 'needs-evaluation'; readonly option: NeedsEvaluation }
  | {
      readonly kind: 'other-rhythm';
      readonly saves: SaveStrategy;
      readonly evaluates: EvalStrategy;
    }
  | {
      readonly kind: 'no-multiple';
      readonly saveSteps: number;
      readonly evalSteps: number;
      readonly fits: number;
    }
  | { readonly kind: 'end-above-rate'; readonly end: number; readonly rate: number }
  | { readonly kind: 'nothing-held-back' }
  | { readonly kind: 'no-f16' }
  | { readonly kind: 'packed-prefix' }
  | { readonly kind: 'odd-rank'; readonly rank: number; readonly fits: number }
);

export type ConflictKind = Conflict['kind'];
export type NeedsEvaluation =
  'load_best_model_at_end' | 'early_stopping_patience' | 'save_strategy';

/** What the arguments of a run have to go together with. */
export interface Surroundings {
  readonly method: Method;
  /** Absent where the arguments alone are asked about. */
  readonly peft?: PeftConfig;
  /** Whether rows are held back to evaluate on. */
  readonly heldBack: boolean;
  /** Whether the device computes in 16 bits. */
  readonly f16: boolean;
}

export function findConflict(
  args: TrainingArguments,
  { method, peft, heldBack, f16 }: Surroundings,
): Conflict | undefined {
  if (args.fp16 && !f16) return { kind: 'no-f16', fix: { training: { fp16: false } } };
  if (args.packing && method === 'prefix')
    return { kind: 'packed-prefix', fix: { training: { packing: false } } };
  if (peft?.peft_type === 'LORA' && !canStartAt(peft, peft.r)) return oddRank(peft.r);
  return findInArguments(args) ?? findInData(args, heldBack);
}

const oddRank = (rank: number): Conflict => {
  const fits = rank + 1;
  return { kind: 'odd-rank', rank, fits, fix: { lora: { r: fits } } };
};

function findInArguments(args: TrainingArguments): Conflict | undefined {
  const { eval_strategy, save_strategy, load_best_model_at_end: endsWithBest, save_steps } = args;
  const option = needsEvaluation(args);
  if (eval_strategy === 'no' && option) {
    const steps = save_strategy === 'steps' && option !== 'save_strategy';
    return {
      kind: 'needs-evaluation',
      option,
      fix: { training: { eval_strategy: steps ? 'steps' : 'epoch' } },
    };
  }
  if (endsWithBest && save_strategy !== 'best') {
    if (save_strategy !== eval_strategy)
      return {
        kind: 'other-rhythm',
        saves: save_strategy,
        evaluates: eval_strategy,
        fix: { training: { save_strategy: eval_strategy } },
      };
    const every = evalStepsOf(args);
    if (eval_strategy === 'steps' && save_steps % every !== 0) {
      const fits = Math.ceil(save_steps / every) * every;
      return {
        kind: 'no-multiple',
        saveSteps: save_steps,
        evalSteps: every,
        fits,
        fix: { training: { save_steps: fits } },
      };
    }
  }
  return findInSchedule(args);
}

function needsEvaluation(args: TrainingArguments): NeedsEvaluation | undefined {
  if (args.load_best_model_at_end) return 'load_best_model_at_end';
  if (args.early_stopping_patience !== null) return 'early_stopping_patience';
  return args.save_strategy === 'best' ? 'save_strategy' : undefined;
}

function findInSchedule(args: TrainingArguments): Conflict | undefined {
  const { lr_scheduler_type, lr_scheduler_kwargs, learning_rate: rate } = args;
  const end = lr_scheduler_kwargs?.lr_end ?? 1e-7;
  if (lr_scheduler_type !== 'polynomial' || rate > end) return undefined;
  const training: Partial<TrainingArguments> =
    rate > 0
      ? { lr_scheduler_kwargs: { ...lr_scheduler_kwargs, lr_end: rate / 100 } }
      : { lr_scheduler_type: 'linear', lr_scheduler_kwargs: null };
  return { kind: 'end-above-rate', end, rate, fix: { training } };
}

const findInData = (args: TrainingArguments, heldBack: boolean): Conflict | undefined =>
  evaluatesItself(args) && !heldBack
    ? { kind: 'nothing-held-back', fix: { evalShare: 0.1 } }
    : undefined;
