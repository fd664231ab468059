/**
 * An error's code becomes one sentence in the person's language. The error's own (English) message is
 * the fallback, and stays at hand as the exact wording when the sentence had to be more general.
 */
import { errors as en } from './en/errors';
import type { Locale } from './locale';
import { errors as zh } from './zh/errors';

export type ErrorDetails = Readonly<Record<string, string | number | undefined>>;
export type ErrorSentence = (details: ErrorDetails) => string | undefined;

export interface ErrorLike {
  code?: string;
  message: string;
  retryable?: boolean;
  details?: ErrorDetails;
}

export interface Explained {
  code: string;
  sentence: string;
  /** The exact message, where the sentence does not say it already. */
  exact?: string;
  retryable: boolean;
}

export function explainError(error: unknown, locale: Locale): Explained {
  const like = readError(error);
  const sentences: Readonly<Record<string, ErrorSentence>> = locale === 'en' ? en : zh;
  const { code = 'unknown', details = {} } = like;
  const known = Object.hasOwn(sentences, code) ? sentences[code]?.(details) : undefined;
  // An English message without a sentence of ours is shown as it is; in Chinese it stands behind one.
  const written = locale === 'en' && like.message ? like.message : undefined;
  const sentence =
    (like.code === undefined ? undefined : known) ?? written ?? sentences.unknown(details) ?? code;
  return {
    code,
    sentence,
    exact: sentence === like.message || !like.message ? undefined : like.message,
    retryable: like.retryable ?? false,
  };
}

function readError(error: unknown): ErrorLike {
  if (typeof error === 'object' && error !== null && 'message' in error) {
    const { message, code, retryable, details } = error as Record<string, unknown>;
    return {
      message: String(message),
      code:
        typeof code === 'string'
          ? code
          : (error as { name?: unknown }).name === 'AbortError'
            ? 'aborted'
            : undefined,
      retryable: retryable === true,
      details: typeof details === 'object' && details !== null ? (details as ErrorDetails) : {},
    };
  }
  return { message: String(error) };
}
