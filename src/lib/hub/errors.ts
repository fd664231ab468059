/** Errors of getting a model. Retryable ones were retried already before they come out. */
import { InkstoneError } from '../config/errors';

export type HubErrorCode =
  /** A file of this page is neither kept nor to be had. */
  | 'offline'
  /** The person closed the seal. */
  | 'sealed'
  | 'host-not-allowed'
  | 'bad-request'
  | 'not-found'
  /** Its owner asks for consent first: details.page is where. */
  | 'gated'
  | 'token-refused'
  | 'rate-limited'
  /** The host answered with an error of its own. */
  | 'server'
  /** No answer, or one that broke off. */
  | 'dropped'
  /** The host's answer makes no sense. */
  | 'bad-answer'
  /** The bytes are not those that were published. */
  | 'wrong-bytes'
  /** The repository has no files that Inkstone can open. */
  | 'unsupported-files';

export class HubError extends InkstoneError<HubErrorCode> {
  /** Seconds that the host asked to wait for. */
  readonly retryAfterS: number | undefined;

  constructor(
    code: HubErrorCode,
    message: string,
    options: {
      retryable?: boolean;
      details?: Record<string, string | number>;
      cause?: unknown;
      retryAfterS?: number;
    } = {},
  ) {
    super(code, message, options);
    this.retryAfterS = options.retryAfterS;
  }
}

/** The longest that a host may make us wait by itself; beyond it the person decides. */
const MAX_RETRY_AFTER_S = 300;

/** What an error answer means. `what` names the file or model in the sentence. */
export function errorOfAnswer(
  answer: { status: number; headers: Headers },
  request: { what: string; page: string; hasToken: boolean; host: string },
): HubError {
  const { status, headers } = answer;
  const { what, page, hasToken, host } = request;
  const details = { what, status, host, page };
  const reason = headers.get('X-Error-Code') ?? '';

  if (reason === 'GatedRepo' || status === 403) {
    return new HubError(
      'gated',
      `${what} is shared on conditions. Accept them at ${page}, make an access token in your account there, and give it here.`,
      { details },
    );
  }
  if (reason === 'RepoNotFound' || reason === 'RevisionNotFound' || reason === 'EntryNotFound') {
    return notFound(what, details);
  }
  if (status === 401) {
    return hasToken
      ? new HubError(
          'token-refused',
          `${host} did not accept the access token. Make a new one there with the right to read.`,
          { details },
        )
      : new HubError(
          'gated',
          `${what} is private or shared on conditions. Open ${page}, accept them, and give an access token here.`,
          { details },
        );
  }
  if (status === 404 || status === 410) return notFound(what, details);
  if (status === 429) {
    return new HubError('rate-limited', `${host} asks to slow down. Try again in a few minutes.`, {
      retryable: true,
      details,
      retryAfterS: readRetryAfter(headers.get('Retry-After')),
    });
  }
  if (status >= 500 || status === 408) {
    return new HubError(
      'server',
      `${host} has a problem of its own (${status}). Try again later.`,
      {
        retryable: true,
        details,
        retryAfterS: readRetryAfter(headers.get('Retry-After')),
      },
    );
  }
  return new HubError(
    'bad-answer',
    `${host} answered ${status} for ${what}, which Inkstone does not expect.`,
    {
      details,
    },
  );
}

const notFound = (what: string, details: Record<string, string | number>): HubError =>
  new HubError('not-found', `${what} is not on the hub. Check the name and the revision.`, {
    details,
  });

function readRetryAfter(header: string | null): number | undefined {
  if (header === null) return undefined;
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.min(Math.max(0, seconds), MAX_RETRY_AFTER_S) : undefined;
}
