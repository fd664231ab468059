/** Splits text into sentences and into the units that ROUGE counts, for Chinese and English alike. */
import { CJK_CHARACTER } from './detect-language';

export interface Sentence {
  readonly text: string;
  /** UTF-16 offsets into the text that was split. */
  readonly begin: number;
  readonly end: number;
}

/** Words before a full stop that does not end a sentence, in lower case. */
const ABBREVIATIONS = new Set(
  'mr mrs ms dr prof sr jr st vs etc e.g i.e cf fig figs eq no vol pp al inc ltd co corp dept approx jan feb mar apr jun jul aug sep sept oct nov dec u.s u.k a.m p.m'.split(
    ' ',
  ),
);

/** A run of enders with the closing quotes and brackets behind it, or a line break. */
const BORDER = /(?<enders>[。！？!?…｡．.]+)[”’」』）)\]】》"']*|\n+/gu;

/** Sentences without the white space around them, in order; nothing but white space is lost. */
export function splitSentences(text: string): Sentence[] {
  const sentences: Sentence[] = [];
  let begin = 0;
  const cut = (end: number) => {
    const part = text.slice(begin, end);
    const lead = part.length - part.trimStart().length;
    const trimmed = part.trim();
    if (trimmed !== '') {
      const from = begin + lead;
      sentences.push({ text: trimmed, begin: from, end: from + trimmed.length });
    }
    begin = end;
  };
  for (const match of text.matchAll(BORDER)) {
    const end = match.index + match[0].length;
    const enders = match.groups?.enders;
    if (enders === undefined || endsSentence(text, match.index, enders, end)) cut(end);
  }
  cut(text.length);
  return sentences;
}

function endsSentence(text: string, at: number, enders: string, end: number): boolean {
  if (/[。！？!?｡．]/u.test(enders)) return true;
  // "..." and "…" trail off inside a sentence as often as they end one: they end it before a blank.
  const next = text.slice(end, end + 40);
  if (next !== '' && !/^\s/u.test(next) && !CJK_CHARACTER.test(next[0])) return false;
  if (enders !== '.') return next === '' || /^\s+[\p{Lu}\p{Lo}\p{N}"'“‘]/u.test(next);
  const before = /[\p{L}\p{N}.]+$/u.exec(text.slice(Math.max(0, at - 20), at))?.[0] ?? '';
  if (ABBREVIATIONS.has(before.toLowerCase())) return false;
  // An initial, as in "J. Smith", or a numbered item, as in "1. Open the page".
  if (/^\p{Lu}$/u.test(before) && before !== 'I') return false;
  const line = `${at <= 20 ? '\n' : ''}${text.slice(Math.max(0, at - 20), at)}`;
  if (/\n\s*\d{1,3}$/.test(line)) return false;
  return next.trim() === '' || /^\s*[\p{Lu}\p{Lo}\p{N}"'“‘(（「『《]/u.test(next);
}

/**
 * Units for ROUGE and overlap: each CJK character on its own, other words in lower case; punctuation
 * and white space do not count. Full-width letters are taken as their usual forms (NFKC).
 */
export function characterOrWordTokens(text: string): string[] {
  return text.normalize('NFKC').toLowerCase().match(UNIT) ?? [];
}

const CJK = '\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Bopomofo}';
/** One CJK character, or a run of other letters, marks and digits with apostrophes inside. */
const UNIT = new RegExp(
  `[${CJK}]|(?:(?![${CJK}])[\\p{L}\\p{M}\\p{N}])+(?:['’](?![${CJK}])[\\p{L}]+)*`,
  'gu',
);
