/**
 * Steps of a pre-tokenizer that @huggingface/tokenizers 0.2 reads otherwise than Python's tokenizers,
 * written as a `Split` that both read alike. Without it texts with ①, ２０２４ or "?!" get other ids
 * than the model was trained on.
 */
type Json = Record<string, unknown>;

/** Rust's `is_ascii_punctuation` or a character of a punctuation category. */
const PUNCTUATION = '\\p{P}$+<=>^`|~';

export function adaptPreTokenizer(step: unknown, depth = 0): unknown {
  if (typeof step !== 'object' || step === null || depth > 8) return step;
  const config = step as Json;
  if (config.type === 'Sequence' && Array.isArray(config.pretokenizers)) {
    const steps = (config.pretokenizers as unknown[]).map((s) => adaptPreTokenizer(s, depth + 1));
    return { ...config, pretokenizers: steps };
  }
  // The library takes ASCII digits, Rust every character of a number category.
  if (config.type === 'Digits') return isolate(config.individual_digits ? '\\p{N}' : '\\p{N}+');
  // The library keeps runs together, whatever the behaviour; Isolated is Rust's default.
  if (config.type === 'Punctuation' && (config.behavior ?? 'Isolated') === 'Isolated') {
    return isolate(`[${PUNCTUATION}]`);
  }
  return step;
}

const isolate = (regex: string): Json => ({
  type: 'Split',
  pattern: { Regex: regex },
  behavior: 'Isolated',
  invert: false,
});
