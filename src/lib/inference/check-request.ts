/** Options and ids are refused by name before anything runs. */
import { InferenceError } from './errors';
import type { SamplingOptions } from './sampler';

/** Names and meaning of `GenerationOptions` in rpc/engine-api.ts. */
export interface TextGeneration extends SamplingOptions {
  readonly max_new_tokens: number;
}

/** @throws InferenceError `bad-option` */
export function checkGeneration(options: TextGeneration): void {
  const rules: readonly [keyof TextGeneration, string, (value: number) => boolean][] = [
    ['max_new_tokens', 'a whole number from 1 on', (v) => Number.isSafeInteger(v) && v >= 1],
    ['temperature', 'a number from 0 on', (v) => v >= 0 && Number.isFinite(v)],
    ['top_p', 'a number above 0, at most 1', (v) => v > 0 && v <= 1],
    ['top_k', 'a whole number from 0 on', (v) => Number.isSafeInteger(v) && v >= 0],
    ['repetition_penalty', 'a number above 0', (v) => v > 0 && Number.isFinite(v)],
    ['seed', 'a whole number', (v) => Number.isSafeInteger(v)],
  ];
  for (const [name, allowed, isGood] of rules)
    if (!isGood(options[name]))
      throw new InferenceError(
        'bad-option',
        `${name} is ${options[name]}; ${allowed} is allowed.`,
        {
          details: { name, found: String(options[name]) },
        },
      );
}

/** @throws InferenceError `bad-prompt` */
export function checkIds(ids: readonly number[], vocabSize: number): void {
  const bad = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize);
  if (ids.length === 0 || bad !== undefined)
    throw new InferenceError(
      'bad-prompt',
      bad === undefined
        ? 'The prompt has no tokens; at least one is needed.'
        : `The prompt has token id ${bad}; the model knows 0 to ${vocabSize - 1}. The tokenizer belongs to another model.`,
    );
}
