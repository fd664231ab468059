/** What a run was asked while it learned, how often and how long: as its record says, else as it is remembered. Pure. */
import { isSampleLength, SAMPLE_TOKENS } from '../config';
import type { RunSummary } from '../rpc/engine-api';
import type { RememberedRequest } from './local-shapes';

export interface RunAsking {
  samplePrompts: readonly string[];
  /** 0 leaves it to the length of the run. */
  sampleEvery: number;
  max_new_tokens: number;
}

/** @param remembered of a run whose record, of an older version, does not say; else what it answered tells */
export function askingOf(
  run: Pick<RunSummary, 'samples' | 'samplePrompts' | 'sampleEvery' | 'max_new_tokens'>,
  remembered: RememberedRequest | undefined,
): RunAsking {
  const answered = run.samples.map(({ prompt }) => prompt);
  return {
    samplePrompts: run.samplePrompts ?? remembered?.samplePrompts ?? [...new Set(answered)],
    sampleEvery: run.sampleEvery ?? remembered?.sampleEvery ?? 0,
    max_new_tokens: isSampleLength(run.max_new_tokens) ? run.max_new_tokens : SAMPLE_TOKENS.default,
  };
}
