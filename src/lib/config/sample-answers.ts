/** How long an answer may be that a model gives while it learns, in tokens: GenerationConfig's `max_new_tokens`. */
export const SAMPLE_TOKENS = { default: 48, min: 1, max: 4096 } as const;

export const isSampleLength = (tokens: unknown): tokens is number =>
  Number.isInteger(tokens) &&
  (tokens as number) >= SAMPLE_TOKENS.min &&
  (tokens as number) <= SAMPLE_TOKENS.max;
