import { InkstoneError } from '../config/errors';

export type FormatErrorCode =
  /** The bytes end before the structure they announce does. */
  | 'truncated'
  /** A limit of this room was passed: the message names the limit and its reason. */
  | 'too-large'
  /** The file is of another kind than asked for. */
  | 'wrong-format'
  /** The structure contradicts itself or its specification. */
  | 'corrupt'
  /** Well formed, but a feature that this room does not read. */
  | 'unsupported'
  /** A caller asked for something that cannot be written. */
  | 'invalid-value'
  /** A column, tensor or entry that was asked for is not there. */
  | 'not-found'
  /** A name that would escape the folder it is unpacked into. */
  | 'unsafe-name';

export class FormatError extends InkstoneError<FormatErrorCode> {}
