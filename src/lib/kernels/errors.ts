import { InkstoneError } from '../config/errors';

export type KernelErrorCode = 'shape' | 'dtype' | 'no-f16';

/** A kernel was called with shapes or types that it does not take; always a mistake of the caller. */
export class KernelError extends InkstoneError<KernelErrorCode> {}
