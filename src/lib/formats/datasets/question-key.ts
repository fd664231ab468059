/**
 * What a row asks, as text by which the same question is found again: in another row, in another data set,
 * in another form. Looser than `rowKey`: case, width and white space do not count, and the answer is no part.
 */
import { bearsLoss } from '../../config/dataset-row';
import type { DatasetRow } from './types';

/** Han, kana, hangul and their punctuation: a blank beside one of these is layout and no border of words. */
const CJK = String.raw`\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\u3000-\u303f`;
const BLANK_BESIDE_CJK = new RegExp(String.raw`(?<=[${CJK}]) | (?=[${CJK}])`, 'gu');
/** Zero-width blanks and joiners, soft hyphens, marks of direction, fillers of hangul: text that nobody sees. */
const INVISIBLE = /[\p{Cf}\u115f\u1160]/gu;

/**
 * Text without what does not change a question. NFKC makes full-width letters, digits and punctuation the
 * plain ones.
 */
export function foldText(text: string): string {
  return text
    .normalize('NFKC')
    .replace(INVISIBLE, '')
    .toLowerCase()
    .replace(/\s+/gu, ' ')
    .replace(BLANK_BESIDE_CJK, '')
    .trim();
}

/** Equal for rows that ask the same, of whatever kind; token rows are equal only among themselves. */
export function questionKey(row: DatasetRow): string {
  switch (row.kind) {
    case 'instruction':
      return foldText(`${row.instruction}\n${row.input}`);
    case 'completion':
      return foldText(row.prompt);
    case 'chat': {
      const last = row.messages.findLastIndex(bearsLoss);
      const before = row.messages.slice(0, last === -1 ? undefined : last);
      return foldText(before.map(({ content }) => content).join('\n'));
    }
    case 'text':
      return foldText(row.text);
    case 'tokens': {
      const target = row.labels.findIndex((label) => label >= 0);
      // A row that is learned whole is its own question.
      const asked = target > 0 ? row.inputIds.slice(0, target) : row.inputIds;
      return `#${asked.join(' ')}`;
    }
  }
}

/** Nothing to read in what the row teaches: blanks and invisible characters alone. */
export function hasEmptyAnswer(row: DatasetRow): boolean {
  switch (row.kind) {
    case 'instruction':
      return foldText(row.output) === '';
    case 'completion':
      return foldText(row.completion) === '';
    case 'chat':
      return row.messages.some((turn) => bearsLoss(turn) && foldText(turn.content) === '');
    case 'text':
      return foldText(row.text) === '';
    case 'tokens':
      return !row.labels.slice(1).some((label) => label >= 0);
  }
}
