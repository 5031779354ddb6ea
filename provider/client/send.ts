import type { Problem } from '../../contract/problem.ts';
import { retryAfter } from '../../contract/retry-after.ts';
import { ApiError, ApiUnreachableError } from './api-error.ts';
import { RetryableError, type WaitsFor } from './retry.ts';

export interface HttpRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  url: string;
  headers: Record<string, string>;
  body?: string;
  timeoutMilliseconds: number;
  /** Ends waiting for an answer; a request that changes something gets a grace to tell its result. */
  signal: AbortSignal;
}

export interface HttpAnswer {
  status: number;
  etag: string | null;
  /** Identifier of the receipt that a finished revocation left. */
  receipt: string | null;
  text: string;
}

const graceMilliseconds = 15_000;
const temporaryStatuses = new Set([408, 425, 429, 500, 502, 503, 504]);

/**
 * Sends one request. Throws `ApiError` on an answer without success, `RetryableError` when that, or the lack of an
 * answer, may be temporary, and the signal's reason when it was aborted.
 */
export async function send(request: HttpRequest): Promise<HttpAnswer> {
  const answer = await exchange(request);
  if (answer.ok) return answer;
  const error = new ApiError(answer.status, problemOf(answer.text));
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
};

async function exchange({ method, url, headers, body, timeoutMilliseconds, signal }: HttpRequest) {
  signal.throwIfAborted();
  const stop = method === 'GET' ? { signal, release: () => {} } : abortedLater(signal, graceMilliseconds);
  const limit = AbortSignal.any([stop.signal, AbortSignal.timeout(timeoutMilliseconds)]);
  try {
    // A redirect could carry the token elsewhere.
    const init = { method, headers, signal: limit, redirect: 'error' as const };
    const response = await fetch(url, body === undefined ? init : { ...init, body });
    return {
      ok: response.ok,
      status: response.status,
      etag: response.headers.get('etag'),
      receipt: response.headers.get('ebb-receipt'),
      retryAfter: response.headers.get('retry-after'),
      text: await response.text(),
    };
  } catch (error) {
    if (stop.signal.aborted) throw signal.reason;
    throw new RetryableError(new ApiUnreachableError(`${method} ${url}`, error));
  } finally {
    stop.release();
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

/** The problem document of an answer; empty when something else than the API answered. */
function problemOf(text: string): Partial<Problem> {
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json !== 'object' || json === null) return {};
    // The token endpoint answers as OAuth does: https://www.rfc-editor.org/rfc/rfc6749#section-5.2
    return 'error_description' in json ? { detail: String(json.error_description) } : json;
  } catch {
    return {};
  }
}
