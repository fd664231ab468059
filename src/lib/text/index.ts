export { TextError, type TextErrorCode } from './errors';
export { MAX_VOCAB_SIZE, type SpecialTokens } from './check-tokenizer-files';
export { loadTokenizer, MAX_TEXT_CHARS, type Tokenizer, type TokenizerSource } from './tokenizer';
export { createStreamDecoder, type StreamDecoder } from './stream-decoder';
export {
  renderChat,
  type ChatMessage,
  type ChatTemplateSource,
  type RenderChatOptions,
} from './chat-template';
export { detectLanguage, type Language } from './detect-language';
export {
  formatInstruction,
  INSTRUCTION_HEADINGS,
  type InstructionText,
  type PromptAndCompletion,
} from './instruction-template';
export { toMessages } from './render-row';
export {
  encodeRow,
  IGNORED_LABEL,
  previewRow,
  type EncodedRow,
  type EncodeRowOptions,
  type PreviewToken,
} from './encode-row';
export { cutsAnswer, measureRow, type RowMeasure } from './measure-row';
export { countParts, encodeParts } from './split-text';
export type { RowTemplate } from './row-template';
export { characterOrWordTokens, splitSentences, type Sentence } from './segmentation';
export { encodePrompt, type EncodePromptOptions } from './encode-prompt';
