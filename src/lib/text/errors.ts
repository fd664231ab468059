import { InkstoneError } from '../config/errors';

export type TextErrorCode =
  /** tokenizer.json or tokenizer_config.json is not what it should be. */
  | 'bad-tokenizer'
  /** A text that the tokenizer has no tokens for. */
  | 'unencodable'
  /** A token id outside the vocabulary. */
  | 'bad-token-id'
  /** The chat template cannot be read or refused the conversation. */
  | 'chat-template'
  /** The model has no chat template. */
  | 'no-chat-template'
  /** A row that cannot be turned into tokens. */
  | 'bad-row'
  /** A limit of this room was passed. */
  | 'too-large';

export class TextError extends InkstoneError<TextErrorCode> {}
