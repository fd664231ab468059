import type { data as zh } from '../zh/data';

const n = (value: number) => value.toLocaleString('en');
const rows = (value: number) => `${n(value)} ${value === 1 ? 'row' : 'rows'}`;

const short = (text: string) => (text.length > 120 ? `${text.slice(0, 120)}…` : text);

export const data: typeof zh = {
  title: 'Look before you train',
  look: 'Look at this data',
  lookHint: 'The tokenizer of the model decides how long a row is.',
  measuring: 'Counting tokens',
  looking: 'Looking at the data…',
  summary: (train, held, all) =>
    `${rows(all)}: ${n(train)} to learn from, ${n(held)} held back${
      all > train + held ? `, ${n(all - train - held)} left out` : ''
    }.`,
  summaryApart: (train, held, all) =>
    `${rows(all)}, ${n(train)} to learn from, and ${n(held)} separate evaluation ${held === 1 ? 'question' : 'questions'}.`,

  lengths: 'How long the rows are',
  lengthsSummary: (longest, median, maxLength) =>
    `Half of the rows have ${n(median)} tokens or fewer, the longest has ${n(longest)}; the maximum length is ${n(maxLength)}.`,
  lengthsEmpty: 'There is no row to learn from.',
  barTokens: 'Tokens',
  barRange: (from, to) => (from === to ? n(from) : `${n(from)}–${n(to)}`),
  barTail: (from) => `${n(from)} and more`,
  barRows: 'Rows',
  barCut: 'Answer cut off',
  barWhole: 'Whole answer',
  maxLength: (length) => `maximum length ${n(length)}`,

  findings: 'Findings',
  clean: 'No duplicates, empty answers, cut answers or leaks.',
  names: {
    duplicates: 'Duplicates',
    empty: 'Empty answers',
    cut: 'Answers cut off',
    leaked: 'Evaluation questions in the training data',
  },
  found: {
    duplicates: (count) =>
      `${rows(count)} ${count === 1 ? 'says' : 'say'} exactly what an earlier one says, so it is learned more than once.`,
    empty: (count) =>
      `${rows(count)} ${count === 1 ? 'has' : 'have'} an answer with nothing to read in it: the model would learn to say nothing.`,
    cut: (count, maxLength) =>
      `${rows(count)} ${count === 1 ? 'has an answer that goes' : 'have answers that go'} beyond the maximum length of ${n(maxLength)}: the end is not learned, nor where to stop.`,
    leaked: (count) =>
      `${n(count)} evaluation ${count === 1 ? 'question is' : 'questions are'} in the training data too, but for case, width or blanks: scores would look better than they are.`,
  },
  none: {
    duplicates: 'No duplicates',
    empty: 'No empty answers',
    cut: 'No answer is cut off',
    leaked: 'No evaluation question is in the training data',
  },
  notHeldBack: 'No evaluation questions are held back, so there is nothing to compare',
  leaveOut: {
    duplicates: 'Leave out duplicates',
    empty: 'Leave out empty answers',
    cut: 'Leave out cut answers',
    leaked: 'Leave them out of the evaluation',
  },
  leaveOutHint: {
    duplicates: 'The first of each stays.',
    empty: 'These rows are neither learned from nor evaluated on.',
    cut: 'These rows are not learned from.',
    leaked: 'They are still learned from, and no longer count in the evaluation.',
  },
  leftOut: (names) => `Left out: ${names.join(', ').toLowerCase()}`,
  raise: (length) => `Raise the maximum length to ${n(length)}`,
  raiseHint: 'This takes more graphics memory; you are told how much before you start.',
  tooLong:
    'Some answers are longer than this model can read: shorten them, or leave these rows out.',
  showRows: (count) => `Show ${count === 1 ? 'this row' : `these ${rows(count)}`}`,
  rowsOf: (name) => `${name}: rows`,
  rowsShown: (shown, all) => `The first ${n(shown)} of ${n(all)}.`,
  ofEvaluation: 'evaluation question',
  sameAs: (row) => `the same as row ${n(row)}`,
  asksLike: (row, question) => `row ${n(row)} of the training data asks: ${short(question)}`,
  tokensOf: (tokens, maxLength) => `${n(tokens)} tokens, only the first ${n(maxLength)} are used`,
  seeTokens: 'See its tokens',
  seeTokensOf: (row) => `See the tokens of row ${n(row)}`,
  splitInstead: 'Learn them in parts',
  splitInsteadHint: 'All of each text is learned, in some more steps.',
  previewSplit: (full, parts) =>
    `This text has ${n(full)} tokens and is learned in ${n(parts)} parts; this is the first.`,
  previousRow: 'Previous',
  nextRow: 'Next',
  goToRow: 'Row',
  previewCut: (full, kept) =>
    `This row has ${n(full)} tokens, of which only the first ${n(kept)} are used: its answer is not complete.`,
};
