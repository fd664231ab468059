import type { chat as zh } from '../zh/chat';

const n = (value: number) => value.toLocaleString('en');

export const chat: typeof zh = {
  title: 'Chat',
  lead: 'One question, answered side by side by the base model and the tuned one.',
  model: 'Model',
  adapter: 'Adapter',
  noAdapter: 'Base model only',
  noModels: 'There is no model on this device yet. Open or import one on the Models page first.',
  baseColumn: 'Base model',
  tunedColumn: 'Tuned',
  columns: 'Choose whose answers to see',
  emptyTitle: 'Ask something',
  emptyBody:
    'The bundled nano-lm is tiny and knows a few things only: short sums, finding an answer in a passage, telling the tone of a review, going on with a pattern.',
  suggestions: [
    'Hello. Who are you?',
    'What is 36 plus 47? Let’s think step by step.',
    'Give the sentiment as JSON with the field sentiment.\nThis song was lovely, I recommend it.',
    'Answer from the passage.\nLeo enjoys rowing. Paula likes soup.\nQuestion: What is Leo’s hobby?',
  ],
  you: 'You',
  model_: 'Model',
  placeholder: 'Write your question',
  send: 'Send',
  sendHint: 'Enter sends, Shift + Enter starts a new line',
  stop: 'Stop',
  clear: 'Clear the conversation',
  clearTitle: 'Clear this conversation?',
  clearBody: 'It is kept on this device only and cannot be brought back.',
  exportChat: 'Export the conversation',
  options: 'Generation options',
  system: 'System prompt',
  systemHint: 'Goes before the conversation; leave it empty to go without.',
  thinking: 'Answering…',
  waitingTurn: 'Waiting for the other column…',
  stopped: 'stopped',
  cutByLength: 'reached the length limit',
  figures: (speed, first, tokens) =>
    `${speed} tokens/s · first after ${first} · ${n(tokens)} ${tokens === 1 ? 'token' : 'tokens'}`,
  fields: {
    max_new_tokens: ['Longest answer', 'Tokens an answer may have.'],
    temperature: ['Temperature', 'At 0 always the likeliest; higher is freer.'],
    top_p: ['Nucleus', 'Choose only within this much probability.'],
    top_k: ['Candidates', 'Choose among this many of the likeliest; 0 sets no limit.'],
    repetition_penalty: ['Repetition penalty', 'Above 1 it repeats itself less.'],
    seed: ['Random seed', 'The same seed gives the same answer.'],
  },
  answered: (column) => `${column}: the answer is complete`,
};
