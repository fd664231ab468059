/** The likeliest token each time: the same answer for the same parameters. */
export const GREEDY = {
  temperature: 0,
  top_p: 1,
  top_k: 0,
  repetition_penalty: 1,
  seed: 0,
} as const;
