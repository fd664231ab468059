/** What the page calls the methods, as its cards do. */
import type { Messages } from '../../i18n';
import type { RunMethodNames } from '../../state/method-line';

export const methodTitles = ({ methods }: Messages): RunMethodNames => ({
  full: methods.cards.full.title,
  prefix: methods.cards.prefix.title,
  fourBit: methods.fourBit.word,
});
