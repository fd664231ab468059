import { InkstoneError } from '../config/errors';

export type DecoderErrorCode =
  'missing-tensor' | 'wrong-shape' | 'wrong-dtype' | 'not-finite' | 'too-long';

export class DecoderError extends InkstoneError<DecoderErrorCode> {}
