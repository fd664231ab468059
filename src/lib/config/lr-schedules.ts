/** Learning-rate schedules by transformers' names, and which `lr_scheduler_kwargs` each of them takes. */
import { ConfigError } from './errors';
import { Fields } from './fields';

export const LR_SCHEDULER_TYPES = [
  'linear',
  'cosine',
  'constant',
  'constant_with_warmup',
  'cosine_with_restarts',
  'polynomial',
  'inverse_sqrt',
  'cosine_with_min_lr',
  'cosine_warmup_with_min_lr',
  'warmup_stable_decay',
] as const;
export type LrSchedulerType = (typeof LR_SCHEDULER_TYPES)[number];

export const RAMP_TYPES = ['linear', 'cosine', '1-sqrt'] as const;
export type RampType = (typeof RAMP_TYPES)[number];

/** Keyword arguments of the functions in transformers' `optimization.py`; their defaults hold for what is left out. */
export interface LrSchedulerKwargs {
  /** Waves of the cosine (0.5: once down), or restarts of `cosine_with_restarts` (1). */
  num_cycles?: number;
  /** Rate at the end of `polynomial` (1e-7), below the learning rate. */
  lr_end?: number;
  /** Exponent of `polynomial` (1). */
  power?: number;
  /** Steps of `inverse_sqrt` (the warm-up's, or 10,000 without one). */
  timescale?: number;
  /** Lowest rate; this or its share of the learning rate is needed by the schedules named after it. */
  min_lr?: number;
  min_lr_rate?: number;
  /** Share of the learning rate at which `cosine_warmup_with_min_lr` starts. */
  warmup_lr_rate?: number;
  /** Needed by `warmup_stable_decay`. */
  num_decay_steps?: number;
  /** What warm-up and decay leave of the run, when left out. */
  num_stable_steps?: number;
  warmup_type?: RampType;
  decay_type?: RampType;
  /** Lowest share of `warmup_stable_decay` (0). */
  min_lr_ratio?: number;
}

type Name = keyof LrSchedulerKwargs;

/** Which of them each schedule takes. */
export const LR_SCHEDULER_KWARGS: Readonly<Record<LrSchedulerType, readonly Name[]>> = {
  linear: [],
  cosine: ['num_cycles'],
  constant: [],
  constant_with_warmup: [],
  cosine_with_restarts: ['num_cycles'],
  polynomial: ['lr_end', 'power'],
  inverse_sqrt: ['timescale'],
  cosine_with_min_lr: ['num_cycles', 'min_lr', 'min_lr_rate'],
  cosine_warmup_with_min_lr: ['num_cycles', 'min_lr', 'min_lr_rate', 'warmup_lr_rate'],
  warmup_stable_decay: [
    ...(['num_decay_steps', 'num_stable_steps', 'warmup_type', 'decay_type'] as const),
    ...(['min_lr_ratio', 'num_cycles'] as const),
  ],
};

const COUNT = { min: 1, max: 1e9 };
const SHARE = { min: 0, max: 1 };

/**
 * @param fields of the whole recipe
 * @returns null when the recipe has none
 * @throws ConfigError `unsupported-option` for an argument that the schedule does not take, by name
 */
export function readLrSchedulerKwargs(
  fields: Fields,
  type: LrSchedulerType,
  learningRate: number,
): LrSchedulerKwargs | null {
  const given = fields.nested('lr_scheduler_kwargs') ?? new Fields({}, fields.fileName);
  for (const name of Object.keys(given.object))
    if (!(LR_SCHEDULER_KWARGS[type] as readonly string[]).includes(name))
      throw new ConfigError(
        'unsupported-option',
        `${given.fileName}: ${type} takes no ${name}; it takes ${LR_SCHEDULER_KWARGS[type].join(', ') || 'nothing'}.`,
        {
          details: {
            ...{ fileName: fields.fileName, field: 'lr_scheduler_kwargs', found: name },
            ...(LR_SCHEDULER_KWARGS[type].length > 0 && {
              allowed: LR_SCHEDULER_KWARGS[type].join(', '),
            }),
          },
        },
      );
  const number = (name: Name, range: { min?: number; max?: number; open?: boolean }) =>
    given.has(name) ? { [name]: given.number(name, undefined, range) } : {};
  const count = (name: Name, min = 0) =>
    given.has(name) ? { [name]: given.integer(name, undefined, { ...COUNT, min }) } : {};
  const ramp = (name: Name) =>
    given.has(name) ? { [name]: given.oneOf(name, RAMP_TYPES, undefined) } : {};
  const kwargs: LrSchedulerKwargs = {
    ...number('num_cycles', { min: 0, max: 1e6 }),
    ...number('lr_end', { min: 0 }),
    ...number('power', { min: 0, max: 100 }),
    ...count('timescale', 1),
    ...number('min_lr', { min: 0, max: 10 }),
    ...number('min_lr_rate', SHARE),
    ...number('warmup_lr_rate', SHARE),
    ...count('num_decay_steps'),
    ...count('num_stable_steps'),
    ...ramp('warmup_type'),
    ...ramp('decay_type'),
    ...number('min_lr_ratio', SHARE),
  };
  requireWhatItNeeds(given, type, kwargs, learningRate);
  return Object.keys(kwargs).length > 0 ? kwargs : null;
}

/** What transformers' functions refuse. */
function requireWhatItNeeds(
  given: Fields,
  type: LrSchedulerType,
  { min_lr, min_lr_rate, num_decay_steps, lr_end = 1e-7 }: LrSchedulerKwargs,
  learningRate: number,
): void {
  const refuse = (field: string, sentence: string) => {
    throw new ConfigError('out-of-range', `${given.fileName}: ${sentence}`, {
      details: { fileName: given.fileName, field },
    });
  };
  const needsMinimum = LR_SCHEDULER_KWARGS[type].includes('min_lr');
  if (needsMinimum && (min_lr === undefined) === (min_lr_rate === undefined))
    refuse(
      'min_lr',
      `${type} needs min_lr or min_lr_rate in lr_scheduler_kwargs, one of the two, found ${min_lr === undefined ? 'neither' : 'both'}.`,
    );
  if (type === 'warmup_stable_decay' && num_decay_steps === undefined)
    refuse('num_decay_steps', `${type} needs num_decay_steps in lr_scheduler_kwargs.`);
  if (type === 'polynomial' && learningRate <= lr_end)
    refuse(
      'lr_end',
      `lr_end is ${lr_end}, it must be below the learning_rate, which is ${learningRate}.`,
    );
}
