import { InkstoneError } from '../config/errors';

export type PeftErrorCode = 'wrong-model' | 'missing-tensor' | 'not-finite' | 'no-target';

export class PeftError extends InkstoneError<PeftErrorCode> {}
