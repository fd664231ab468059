/** Marks the parts of an answer that are not in the reference: longest common subsequence over words, or over characters for Chinese. */
export interface TextPart {
  text: string;
  inReference: boolean;
}

const PIECE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]|[\p{L}\p{N}_]+|\s+|./gu;
/** The table grows with the product of both lengths. */
const MAX_PIECES = 600;

export function markDifferences(answer: string, reference: string): TextPart[] {
  const a = answer.match(PIECE) ?? [];
  const b = reference.match(PIECE) ?? [];
  if (a.length > MAX_PIECES || b.length > MAX_PIECES)
    return [{ text: answer, inReference: answer === reference }];
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      lengths[i * width + j] =
        a[i] === b[j]
          ? lengths[(i + 1) * width + j + 1] + 1
          : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
  const parts: TextPart[] = [];
  const add = (text: string, inReference: boolean): void => {
    const last = parts.at(-1);
    if (last && (last.inReference === inReference || /^\s+$/.test(text))) last.text += text;
    else parts.push({ text, inReference });
  };
  for (let i = 0, j = 0; i < a.length;) {
    if (j < b.length && a[i] === b[j]) {
      add(a[i++], true);
      j++;
    } else if (j < b.length && lengths[i * width + j + 1] >= lengths[(i + 1) * width + j]) j++;
    else add(a[i++], false);
  }
  return parts;
}

/** Whether an answer counts as the reference, by the rule of evaluation/accuracy.ts. */
export const agrees = (answer: string, reference: string): boolean =>
  toOneForm(answer) === toOneForm(reference);

const toOneForm = (text: string): string =>
  text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/\s+/gu, ' ')
    .replace(/^[\s\p{P}]+|[\s\p{P}]+$/gu, '')
    .replace(/(?<=\p{Script=Han}) (?=\p{Script=Han})/gu, '');
