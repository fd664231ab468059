/** Small tokenizer.json files, one a model type, with as many kinds of steps as fit. */

const special = (id: number, content: string) => ({
  id,
  content,
  special: true,
  single_word: false,
  lstrip: false,
  rstrip: true,
  normalized: false,
});

const numbered = (tokens: readonly string[]) =>
  Object.fromEntries(tokens.map((token, id) => [token, id]));

const bpe = {
  added_tokens: [special(0, '<s>'), special(1, '</s>')],
  normalizer: {
    type: 'Sequence',
    normalizers: [{ type: 'NFC' }, { type: 'Prepend', prepend: '' }],
  },
  pre_tokenizer: {
    type: 'Sequence',
    pretokenizers: [
      { type: 'Digits', individual_digits: true },
      { type: 'Split', pattern: { Regex: '\\p{L}+|\\s' }, behavior: 'Isolated', invert: false },
      { type: 'Punctuation', behavior: 'Isolated' },
      { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
    ],
  },
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [],
    special_tokens: { '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] } },
  },
  decoder: { type: 'Sequence', decoders: [{ type: 'ByteLevel' }, { type: 'Fuse' }] },
  model: {
    type: 'BPE',
    unk_token: '?',
    byte_fallback: false,
    vocab: numbered(['<s>', '</s>', '?', 'h', 'e', 'l', 'o', 'Ġ', 'he', 'll', 'hell', 'hello']),
    merges: [
      ['h', 'e'],
      ['l', 'l'],
      ['he', 'll'],
      ['hell', 'o'],
    ],
  },
};

const unigram = {
  added_tokens: [special(0, '<unk>'), { ...special(5, '<x>'), special: false, normalized: true }],
  normalizer: {
    type: 'Replace',
    pattern: { String: ' ' },
    content: '▁',
  },
  pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first' },
  post_processor: null,
  decoder: {
    type: 'Sequence',
    decoders: [
      { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
      { type: 'ByteFallback' },
      { type: 'Strip', content: ' ', start: 1, stop: 0 },
    ],
  },
  model: {
    type: 'Unigram',
    unk_id: 0,
    vocab: [
      ['<unk>', 0],
      ['▁', -2],
      ['he', -3.5],
      ['l', -4],
      ['o', -4.25],
    ],
  },
};

const wordPiece = {
  added_tokens: [special(0, '[UNK]'), special(1, '[CLS]'), special(2, '[SEP]')],
  normalizer: { type: 'BertNormalizer', lowercase: true, handle_chinese_chars: true },
  pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'FixedLength', length: 4 }] },
  post_processor: { type: 'BertProcessing', cls: ['[CLS]', 1], sep: ['[SEP]', 2] },
  decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: numbered(['[UNK]', '[CLS]', '[SEP]', 'he', '##l', '##o', 'o']),
  },
};

const config = {
  bos_token: { content: '<s>' },
  eos_token: '</s>',
  unk_token: null,
  additional_special_tokens: ['<x>'],
  clean_up_tokenization_spaces: true,
  model_max_length: 512,
  chat_template: [{ name: 'default', template: '{{ messages[0].content }}' }],
};

export const TOKENIZERS = [bpe, unigram, wordPiece].map((json) => ({
  json: JSON.stringify(json),
  config: JSON.stringify(config),
}));
