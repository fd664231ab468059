/**
 * Whether an answer is the reference: equal after both are brought to one form (Unicode NFKC, lower
 * case, white space folded, punctuation at the ends dropped). SQuAD's exact match, for two languages.
 */
export function isExactMatch(answer: string, reference: string): boolean {
  return normaliseAnswer(answer) === normaliseAnswer(reference);
}

export function normaliseAnswer(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/\s+/gu, ' ')
    .replace(/^[\s\p{P}]+|[\s\p{P}]+$/gu, '')
    .replace(/(?<=\p{Script=Han}) (?=\p{Script=Han})/gu, '');
}
