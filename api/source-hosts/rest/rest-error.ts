import { retryAfter } from '../../../contract/retry-after.ts';
import { SourceHostError, type SourceHostErrorCode } from '../errors.ts';

/** One answer of a host's REST API. */
export interface RestAnswer {
  status: number;
  headers: Headers;
  /** JSON; undefined when there was no body, or another one. */
  body: unknown;
}

/** An answer without success. The caller may know better what it means, by `answer`. */
export class RestError extends SourceHostError {
  readonly answer: RestAnswer;

  constructor(
    code: SourceHostErrorCode,
    message: string,
    answer: RestAnswer,
    options: { retryAfterSeconds?: number } = {},
  ) {
    super(code, message, options);
    this.answer = answer;
  }

  get status(): number {
    return this.answer.status;
  }
}

/** Whether it is the answer of a host with this status. */
export function isStatus(error: unknown, ...statuses: number[]): error is RestError {
  return error instanceof RestError && statuses.includes(error.status);
}

/** What an answer without success means at any of the hosts. */
export function restError(host: string, answer: RestAnswer, now: Date): RestError {
  const { status } = answer;
  const said = words(answer.body);
  const quoted = said === '' ? '' : ` It said: ${said}`;
  const wait = limitOf(answer, said, now);
  if (wait !== undefined) {
    const message = `${host} asks for fewer requests and takes the next one in ${wait} s.${quoted}`;
    return new RestError('rate_limited', message, answer, { retryAfterSeconds: wait });
  }
  if (status === 401) {
    const message = `${host} does not take the credential of this connection: it was revoked, has expired or is mistyped. Give the connection a new one.${quoted}`;
    return new RestError('unauthorized', message, answer);
  }
  if (status >= 300 && status < 400) {
    const message = `${host} has the repository under another name: it was renamed or transferred. Set repository to its new name.`;
    return new RestError('repository_moved', message, answer);
  }
  if (status === 404 || status === 410) {
    const message = `${host} shows no such repository to this connection. Check its name, and that the credential reaches it.`;
    return new RestError('repository_not_found', message, answer);
  }
  if (status >= 500) {
    return new RestError('unreachable', `${host} failed with status ${status}. Try again.${quoted}`, answer);
  }
  if (status === 403) {
    return new RestError('refused', `${host} forbids this to the connection's credential.${quoted}`, answer);
  }
  return new RestError('refused', `${host} refused with status ${status}.${quoted}`, answer);
}

// GitHub's limits begin anew each hour; more is a mistake, such as milliseconds, that would shut the way for good.
const longestLimitSeconds = 3_600;

/** Seconds until the next request may be sent, an hour at most, when that is what the answer is about. */
function limitOf(answer: RestAnswer, said: string, now: Date): number | undefined {
  const seconds = secondsAsked(answer, said, now);
  return seconds === undefined ? undefined : Math.min(seconds, longestLimitSeconds);
}

function secondsAsked({ status, headers }: RestAnswer, said: string, now: Date): number | undefined {
  if (status !== 403 && status !== 429) return undefined;
  const wait = retryAfter(headers.get('retry-after'), now);
  if (wait !== undefined) return Math.max(1, Math.ceil(wait / 1000));
  // https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
  const remaining = headers.get('x-ratelimit-remaining') ?? headers.get('ratelimit-remaining');
  const reset = Number(headers.get('x-ratelimit-reset') ?? headers.get('ratelimit-reset') ?? Number.NaN);
  if (remaining === '0' && Number.isFinite(reset))
    return Math.max(1, Math.ceil(reset - now.getTime() / 1000));
  return status === 429 || /secondary rate limit|abuse detection/i.test(said) ? 60 : undefined;
}

const fields = ['message', 'error_description', 'error', 'errors', 'detail'];

/** What the host says of a failure, in at most 300 characters of one line. */
function words(body: unknown): string {
  return collect(body)
    .join('; ')
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .toWellFormed()
    .slice(0, 300)
    .trim();
}

function collect(value: unknown): string[] {
  if (typeof value === 'string') return value === '' ? [] : [value];
  if (Array.isArray(value)) return value.slice(0, 5).flatMap(collect);
  if (typeof value !== 'object' || value === null) return [];
  const known = fields.filter((field) => field in value);
  if (known.length > 0) return known.flatMap((field) => collect(Reflect.get(value, field)));
  // GitLab's {"key": ["has already been taken"]}.
  return Object.entries(value)
    .slice(0, 5)
    .flatMap(([name, inner]) => collect(inner).map((text) => `${name} ${text}`));
}
