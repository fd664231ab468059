/**
 * What may stand under each key of the local store, read field by field: what is unsound falls back to its
 * default or is left out, and never reaches a page. Pure; nothing here throws.
 */
import type { LocaleChoice } from '../i18n';
import type { ChatResult, GenerationOptions, TrainRequest, WaitsFor } from '../rpc/engine-api';

export const THEMES = ['system', 'light', 'night'] as const;
export type Theme = (typeof THEMES)[number];

export interface SavedSettings {
  locale: LocaleChoice;
  theme: Theme;
  logAxis: boolean;
}

const LOCALES: readonly LocaleChoice[] = ['system', 'zh-CN', 'en'];

export function shapeSettings(value: unknown): SavedSettings | undefined {
  if (!isObject(value)) return undefined;
  return {
    locale: oneOf(value.locale, LOCALES) ?? 'system',
    theme: oneOf(value.theme, THEMES) ?? 'system',
    logAxis: value.logAxis === true,
  };
}

// --- the conversation -------------------------------------------------------------------------

export const COLUMNS = ['base', 'tuned'] as const;
export type Column = (typeof COLUMNS)[number];

export interface Answer {
  text: string;
  state: 'waiting' | 'running' | 'done' | 'stopped' | 'failed';
  result?: ChatResult;
  /** Who answered, as it was called then. */
  adapterId?: string;
  /** While it runs: what has to be over first. */
  waitsFor?: WaitsFor;
  error?: unknown;
}

export interface Turn {
  id: number;
  question: string;
  answers: Partial<Record<Column, Answer>>;
}

export interface SavedChat {
  turns: Turn[];
  modelId?: string;
  adapterId?: string;
  system: string;
  generation: GenerationOptions;
}

export const DEFAULT_GENERATION: GenerationOptions = {
  max_new_tokens: 128,
  temperature: 0,
  top_p: 1,
  top_k: 0,
  repetition_penalty: 1,
  seed: 42,
};

type Range = { min: number; max: number; whole: boolean };

/** What the fields of the Chat page take. */
export const GENERATION_LIMITS: Readonly<Record<keyof GenerationOptions, Range>> = {
  max_new_tokens: { min: 1, max: 4096, whole: true },
  temperature: { min: 0, max: 2, whole: false },
  top_p: { min: 0.01, max: 1, whole: false },
  top_k: { min: 0, max: 1000, whole: true },
  repetition_penalty: { min: 0.5, max: 2, whole: false },
  seed: { min: 0, max: 0xffffffff, whole: true },
};

/** A page that draws more turns than this becomes slow. */
export const KEPT_TURNS = 200;

export function shapeChat(value: unknown): SavedChat | undefined {
  if (!isObject(value)) return undefined;
  const turns = list(value.turns)
    .map(shapeTurn)
    .filter((turn) => turn !== undefined)
    .slice(-KEPT_TURNS);
  return {
    // Two turns of one id would be one to the page.
    turns: turns.map((turn, index) => ({ ...turn, id: index + 1 })),
    modelId: text(value.modelId),
    adapterId: text(value.adapterId),
    system: text(value.system) ?? '',
    generation: shapeGeneration(value.generation),
  };
}

function shapeGeneration(value: unknown): GenerationOptions {
  const given = isObject(value) ? value : {};
  const names = Object.keys(GENERATION_LIMITS) as (keyof GenerationOptions)[];
  return Object.fromEntries(
    names.map((name) => {
      const { min, max, whole } = GENERATION_LIMITS[name];
      const found = number(given[name], min, max);
      const isSound = found !== undefined && (!whole || Number.isInteger(found));
      return [name, isSound ? found : DEFAULT_GENERATION[name]];
    }),
  ) as unknown as GenerationOptions;
}

function shapeTurn(value: unknown): Turn | undefined {
  if (!isObject(value) || typeof value.question !== 'string') return undefined;
  const given = isObject(value.answers) ? value.answers : {};
  const answers: Turn['answers'] = {};
  for (const column of COLUMNS) {
    const answer = shapeAnswer(given[column]);
    if (answer) answers[column] = answer;
  }
  return { id: 0, question: value.question, answers };
}

function shapeAnswer(value: unknown): Answer | undefined {
  if (!isObject(value) || typeof value.text !== 'string') return undefined;
  const result = shapeResult(value.result);
  const adapterId = text(value.adapterId);
  return {
    text: value.text,
    // An answer that was under way when the tab was closed has been stopped.
    state: oneOf(value.state, ['done', 'failed'] as const) ?? 'stopped',
    ...(result && { result }),
    ...(adapterId !== undefined && { adapterId }),
  };
}

function shapeResult(value: unknown): ChatResult | undefined {
  if (!isObject(value)) return undefined;
  const figure = (name: string) => number(value[name], 0, Number.MAX_VALUE);
  const stoppedBy = oneOf(value.stoppedBy, ['end', 'length', 'signal'] as const);
  const promptTokens = figure('promptTokens');
  const newTokens = figure('newTokens');
  const firstTokenMs = figure('firstTokenMs');
  const tokensPerSecond = figure('tokensPerSecond');
  if (promptTokens === undefined || newTokens === undefined) return undefined;
  if (firstTokenMs === undefined || tokensPerSecond === undefined || !stoppedBy) return undefined;
  return {
    ...{ text: text(value.text) ?? '', promptTokens, newTokens, firstTokenMs },
    ...{ tokensPerSecond, stoppedBy },
  };
}

// --- requests of runs -------------------------------------------------------------------------

export type RememberedRequest = Pick<
  TrainRequest,
  'evalShare' | 'evalDatasetId' | 'samplePrompts' | 'sampleEvery'
>;
export type SavedRequests = [runId: string, request: RememberedRequest][];

export const KEPT_REQUESTS = 100;

export function shapeRequests(value: unknown): SavedRequests | undefined {
  if (!Array.isArray(value)) return undefined;
  return value
    .flatMap((entry: unknown): SavedRequests => {
      if (!Array.isArray(entry) || typeof entry[0] !== 'string' || !isObject(entry[1])) return [];
      const { evalShare, evalDatasetId, samplePrompts, sampleEvery } = entry[1];
      const every = number(sampleEvery, 1, 1e9);
      const share = number(evalShare, 0, 0.9);
      if (share === undefined) return [];
      return [
        [
          entry[0],
          {
            evalShare: share,
            ...(typeof evalDatasetId === 'string' && { evalDatasetId }),
            samplePrompts: list(samplePrompts).filter((prompt) => typeof prompt === 'string'),
            ...(every !== undefined && { sampleEvery: Math.floor(every) }),
          },
        ],
      ];
    })
    .slice(-KEPT_REQUESTS);
}

// --- readers of single values, for shapes elsewhere too ---------------------------------------

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

export const text = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : undefined;

export const number = (value: unknown, min: number, max: number): number | undefined =>
  typeof value === 'number' && value >= min && value <= max ? value : undefined;

export const oneOf = <Value extends string>(
  value: unknown,
  values: readonly Value[],
): Value | undefined => values.find((candidate) => candidate === value);
