import { InkstoneError } from '$lib/config';

export type CliErrorCode = 'usage' | 'file';

export class CliError extends InkstoneError<CliErrorCode> {}
