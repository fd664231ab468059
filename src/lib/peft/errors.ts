import { InkstoneError } from '../config/errors';

export type PeftErrorCode =
  | 'wrong-model'
  | 'missing-tensor'
  | 'not-finite'
  | 'no-target'
  | 'rank-too-large'
  | 'changed-base'
  | 'cannot-merge';

export class PeftError extends InkstoneError<PeftErrorCode> {}
