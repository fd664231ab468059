import { InkstoneError } from '$lib/config';

export type CliErrorCode = 'usage' | 'file' | 'write';

export class CliError extends InkstoneError<CliErrorCode> {}
