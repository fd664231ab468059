/**
 * The one base of every error a room throws. `code` is what programs branch on and survives the
 * worker boundary; `message` is one sentence for a person: what was found, what is allowed, what to do.
 */
export class InkstoneError<Code extends string = string> extends Error {
  readonly code: Code;
  /** True when the same call may succeed later (a dropped connection), false when the input must change. */
  readonly retryable: boolean;
  /** Values that a translated sentence needs, such as the row and field that were wrong. */
  readonly details: Readonly<Record<string, string | number>>;

  constructor(
    code: Code,
    message: string,
    options: {
      retryable?: boolean;
      details?: Record<string, string | number>;
      cause?: unknown;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.details = options.details ?? {};
  }
}

export type ConfigErrorCode =
  | 'unsupported-architecture'
  | 'unsupported-option'
  | 'missing-field'
  | 'wrong-type'
  | 'out-of-range'
  | 'not-json'
  | 'not-yaml';

export class ConfigError extends InkstoneError<ConfigErrorCode> {}
