import { InkstoneError } from '../config/errors';

export type PeftErrorCode =
  | 'wrong-model'
  | 'missing-tensor'
  | 'not-finite'
  | 'no-target'
  | 'unsupported-target'
  | 'costly-pattern'
  | 'rank-too-large'
  | 'odd-rank'
  | 'changed-base'
  | 'cannot-merge';

export class PeftError extends InkstoneError<PeftErrorCode> {}
