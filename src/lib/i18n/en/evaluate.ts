import type { evaluate as zh } from '../zh/evaluate';

const n = (value: number) => value.toLocaleString('en');

export const evaluate: typeof zh = {
  title: 'Evaluate',
  lead: 'Let the base model and its adapters answer the same questions, and compare the figures.',
  model: 'Model',
  noModels: 'There is no model on this device yet. Open or import one on the Models page first.',
  dataset: 'Questions',
  heldBackGroup: 'Held back from training',
  heldBackOf: (run) => `What “${run}” held back`,
  heldBackHint:
    'That run did not learn from these questions: they show best how it answers new ones.',
  wholeGroup: 'Whole data sets',
  learnedTitle: 'Some of these questions were learned',
  learned: (who, learned, all) =>
    learned < all
      ? `“${who}” learned from ${n(learned)} of these ${n(all)} questions.`
      : all === 1
        ? `“${who}” learned from this very question.`
        : `“${who}” learned from all of these ${n(all)} questions.`,
  learnedMeaning:
    'Such a score says how well it remembers, not how well it will answer questions it has not seen.',
  useHeldBack: 'Use the held-back questions',
  nothingHeldBack:
    'That run held nothing back. Choose data that it has not learned from, or train again and hold a part back.',
  notLearned: 'None of the adapters has learned from these questions.',
  noDatasets: 'There are no questions yet. Bring data on the Train page first.',
  who: 'Who answers',
  whoNone: 'Choose at least one to answer.',
  noAdapters: 'There are no adapters yet; after training you can compare them with the base model.',
  maxRows: 'Most questions',
  maxRowsHint: 'Taken from the front; 0 asks all of them.',
  maxNewTokens: 'Longest answer',
  maxNewTokensHint: 'Tokens an answer may have.',
  start: 'Start the evaluation',
  stop: 'Stop the evaluation',
  running: 'Answering',
  progress: (done, total) => `${n(done)} of ${n(total)}`,
  empty: 'There are no results yet. Choose the questions and who answers, and start.',
  resultTitle: 'Results',
  resultOf: (dataset, when) => `${dataset} · ${when}`,
  who_: 'Answered by',
  accuracy: 'Accuracy',
  accuracyHint:
    'Share of answers that equal the reference, whatever the case and the punctuation at the ends',
  rougeL: 'ROUGE-L',
  rougeLHint: 'How much of the longest common part fits the reference; 1 is a perfect fit',
  speed: 'Tokens/s',
  memory: 'Graphics memory',
  count: 'Questions',
  best: 'best',
  rowsTitle: 'Answer by answer',
  differencesOnly: 'Only where the answers differ',
  question: 'Question',
  reference: 'Reference',
  answerOf: (who) => `Answer: ${who}`,
  matches: 'equals the reference',
  differs: 'differs from the reference',
  differenceHint: 'Underlined parts are not in the reference.',
  emptyAnswer: '(no answer)',
  exportCsv: 'Export CSV',
  exportJson: 'Export JSON',
  deleteTitle: 'Delete these results?',
  deleteBody: (result) => `The results of ${result} will be deleted and cannot be brought back.`,
  earlier: 'Earlier evaluations',
  noDifferences: 'All the answers are the same.',
  done: 'The evaluation is complete',
};
