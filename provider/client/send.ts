import type { Problem } from '../../contract/problem.ts';
import { retryAfter } from '../../contract/retry-after.ts';
import { ApiError, ApiUnreachableError } from './api-error.ts';
import { exchange } from './exchange.ts';
import { RetryableError, type WaitsFor } from './retry.ts';

export interface HttpRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  url: string;
  headers: Record<string, string>;
  body?: string;
  /** Tells a successful answer of Ebb from that of something in between. */
  isAnswer: AnswerCheck;
  timeoutMilliseconds: number;
  /** Ends it at once. */
  signal?: AbortSignal;
  /** Asks it to end: one that changes something gets a grace, so that its result is known. */
  stop?: AbortSignal;
}

export interface HttpAnswer {
  status: number;
  etag: string | null;
  /** Identifier of the receipt that a finished revocation left. */
  receipt: string | null;
  text: string;
}

/** Judges the status and the JSON of an answer; undefined stands for a body that is none. */
export type AnswerCheck = (status: number, json: unknown) => boolean;

/** Accepts any object. */
export const isObject: AnswerCheck = (_, json) => typeof json === 'object' && json !== null;

/** Accepts an object with this member. */
export const hasMember =
  (name: string): AnswerCheck =>
  (_, json) =>
    typeof json === 'object' && json !== null && name in json;

/** An answer that says nothing but that it is done, or begun. */
export const hasNoBody: AnswerCheck = (status) => status === 202 || status === 204;

const graceMilliseconds = 15_000;
const temporaryStatuses = new Set([408, 425, 429, 500, 502, 503, 504]);

/**
 * Sends one request. Throws `ApiError` on an answer without success, `RetryableError` when that, or the lack of an
 * answer of Ebb, may be temporary, and the signal's reason when it was aborted.
 */
export async function send(request: HttpRequest): Promise<HttpAnswer> {
  const answer = await answerTo(request);
  const json = parsed(answer.text);
  if (answer.ok && request.isAnswer(answer.status, json)) return answer;
  const problem = answer.ok ? undefined : problemOf(json);
  if (!problem)
    throw new RetryableError(foreignAnswer(request, answer), retryAfter(answer.retryAfter, new Date()));
  const error = new ApiError(answer.status, problem);
  const waitsFor = waits[`${answer.status} ${error.problem.code}`];
  if (error.problem.code === needsAPerson) throw error;
  if (!waitsFor && !temporaryStatuses.has(answer.status)) throw error;
  // Ebb tried several times itself, and the address may well be mistyped: the user should read it soon.
  const attempts = error.problem.code === 'source_host_unreachable' ? 2 : undefined;
  throw new RetryableError(error, retryAfter(answer.retryAfter, new Date()), waitsFor, attempts);
}

/** Ebb goes on with it by itself, but it does not pass: the user should read now what is to be done. */
const needsAPerson = 'source_host_refused';

const waits: Record<string, WaitsFor> = {
  '409 request_in_progress': 'earlier_attempt',
  '503 source_host_rate_limited': 'limit',
  '429 too_many_mails': 'limit',
};

async function answerTo({ isAnswer, signal, stop, ...request }: HttpRequest) {
  signal?.throwIfAborted();
  stop?.throwIfAborted();
  const isChange = request.method !== 'GET';
  const asked = stop && (isChange ? abortedLater(stop, graceMilliseconds) : { signal: stop, release() {} });
  const ends = [signal, asked?.signal].filter((one) => one !== undefined);
  const end = ends.length === 1 && ends[0] ? ends[0] : AbortSignal.any(ends);
  try {
    const { status, headers, text } = await exchange({ ...request, signal: end });
    return {
      ok: status >= 200 && status < 300,
      status,
      etag: headers.etag ?? null,
      receipt: headers['ebb-receipt']?.toString() ?? null,
      retryAfter: headers['retry-after'] ?? null,
      type: headers['content-type'] ?? null,
      text,
    };
  } catch (error) {
    if (end.aborted) throw end.reason;
    throw new RetryableError(new ApiUnreachableError(`${request.method} ${request.url}`, error));
  } finally {
    asked?.release();
  }
}

function abortedLater(signal: AbortSignal, milliseconds: number) {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const onAbort = () => {
    timer = setTimeout(() => controller.abort(signal.reason), milliseconds);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  const release = () => {
    signal.removeEventListener('abort', onAbort);
    clearTimeout(timer);
  };
  return { signal: controller.signal, release };
}

function foreignAnswer(
  { method, url }: HttpRequest,
  { status, type }: { status: number; type: string | null },
): ApiUnreachableError {
  const cause = `the answer, with status ${status} and ${type ?? 'no content type'}, is not Ebb's, or not whole`;
  return new ApiUnreachableError(`${method} ${url}`, new Error(cause));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The problem document of an answer; undefined when something else than the API answered. */
function problemOf(json: unknown): Partial<Problem> | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  // The token endpoint answers as OAuth does: https://www.rfc-editor.org/rfc/rfc6749#section-5.2
  if ('error' in json) return 'error_description' in json ? { detail: String(json.error_description) } : {};
  return 'code' in json ? (json as Partial<Problem>) : undefined;
}
