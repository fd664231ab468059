/**
 * The steps around a tokenizer's model (normalizer, pre-tokenizer, post-processor, decoder) as
 * tokenizer.json lists them. Refuses what the library underneath would loop on, blow a text up with, or
 * silently leave out; whether it knows a step it says itself.
 */
import { TextError } from './errors';

/** Where each kind of step stands, and under which name a Sequence of it lists its parts. */
const PARTS = {
  normalizer: 'normalizers',
  pre_tokenizer: 'pretokenizers',
  post_processor: 'processors',
  decoder: 'decoders',
} as const;

/** Published files have some ten steps in all. */
const MAX_STEPS = 64;
/** Times that a text may grow by the replacements of one part; published ones at most double it. */
const MAX_GROWTH = 1000;

export function checkSteps(tokenizerJson: Readonly<Record<string, unknown>>): void {
  for (const [part, listName] of Object.entries(PARTS)) {
    const waiting = [tokenizerJson[part]];
    let growth = 1;
    for (let count = 0; waiting.length > 0; count++) {
      if (count > MAX_STEPS) throw bad(`more than ${MAX_STEPS} steps in its ${part}`);
      const step = waiting.pop();
      if (step === undefined || step === null) continue;
      if (!isObject(step)) throw bad(`a step in its ${part} that is no object`);
      checkStep(step, part);
      growth *= growthOf(step);
      const inner = step[listName];
      if (step.type === 'Sequence' && Array.isArray(inner))
        waiting.push(...inner.slice(0, MAX_STEPS + 1));
    }
    if (growth > MAX_GROWTH)
      throw bad(`replacements in its ${part} that make a text ${MAX_GROWTH} times as long`);
  }
}

function checkStep(step: Record<string, unknown>, part: string): void {
  const { type, length, prepend } = step;
  if (typeof type !== 'string') throw bad(`a step in its ${part} without a type`);
  // The library goes forward by this number until the text ends.
  if (type === 'FixedLength' && !(Number.isSafeInteger(length) && (length as number) >= 1))
    throw bad('a FixedLength step whose length is no whole number of 1 or more');
  if (type === 'Prepend' && typeof prepend !== 'string')
    throw bad('a Prepend step that says not what to prepend');
  // The library would leave such a step out, and texts would get other ids than in training.
  if ((type === 'Split' || type === 'Replace') && patternOf(step) === undefined)
    throw bad(`a ${type} step without a pattern`);
}

/** How many characters may come out for one that goes in. */
function growthOf(step: Record<string, unknown>): number {
  if (step.type === 'Replace') {
    const content = lengthOf(step.content);
    // A regular expression, or no text at all, may match between any two characters.
    return patternOf(step)?.isText ? Math.max(1, content) : 1 + content;
  }
  if (step.type === 'Metaspace')
    return Math.max(1, lengthOf(step.replacement), lengthOf(step.str_rep));
  return 1 + lengthOf(step.prepend) / 1000;
}

function patternOf({ pattern }: Record<string, unknown>): { isText: boolean } | undefined {
  const { Regex, String } = isObject(pattern) ? pattern : {};
  if (Regex !== undefined) return typeof Regex === 'string' ? { isText: false } : undefined;
  return typeof String === 'string' ? { isText: String !== '' } : undefined;
}

const lengthOf = (value: unknown): number => (typeof value === 'string' ? value.length : 0);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const bad = (found: string): TextError =>
  new TextError('bad-tokenizer', `tokenizer.json has ${found}; get the model's files again.`);
