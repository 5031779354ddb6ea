import { setTimeout as sleep } from 'node:timers/promises';
import { SourceHostError } from '../errors.ts';
import { causeCode, readBounded, TooLargeError } from './bounded-body.ts';
import { AddressNotAllowedError } from './guarded-fetch.ts';
import type { HostMemory } from './host-memory.ts';
import { type RestAnswer, restError } from './rest-error.ts';

const requestMs = 10_000;
const maxBytes = 10 * 1024 * 1024;
const attempts = 3;
const maxRedirects = 3;

export interface RestClientParts {
  /** For messages: `GitHub`. */
  host: string;
  /** Without a slash at the end. */
  baseUrl: string;
  /** Sent with every request. */
  headers: Record<string, string>;
  memory: HostMemory;
  /** Sends to no address that teams must not reach through Ebb. */
  fetch: typeof globalThis.fetch;
}

export interface RestRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  /** Begins with a slash; each part of it is encoded already. */
  path: string;
  body?: unknown;
  /** Gives the headers with the credential, once it is this request's turn. */
  authorize(): Promise<Record<string, string>>;
  signal: AbortSignal;
  /** A POST that changes nothing: it waits for no turn among changes, and is tried again like a GET. */
  repeatable?: boolean;
  /** Whether to go where a renamed repository is now; otherwise that throws `repository_moved`. */
  follow?: boolean;
}

export type RestClient = (request: RestRequest) => Promise<RestAnswer>;

/**
 * Sends JSON to one host. What does not change anything, or the same when repeated, is tried three times. Throws
 * SourceHostError: a RestError when the host answered without success.
 */
export function createRestClient(parts: RestClientParts): RestClient {
  const { host, baseUrl, memory } = parts;
  return async (request) => {
    let url = baseUrl + request.path;
    for (let redirects = 0; ; redirects += 1) {
      const answer = await sendPatiently(parts, request, url);
      if (answer.status >= 200 && answer.status < 300) return answer;
      const location = answer.headers.get('location');
      if (request.follow && location !== null && redirects < maxRedirects) {
        url = sameSite(host, baseUrl, new URL(location, url));
        continue;
      }
      const error = restError(host, answer, new Date());
      if (error.retryAfterSeconds !== undefined) memory.close(error.retryAfterSeconds);
      throw error;
    }
  };
}

/** The credential goes nowhere but to the host that it is for. */
function sameSite(host: string, baseUrl: string, target: URL): string {
  if (target.origin === new URL(baseUrl).origin) return target.href;
  throw new SourceHostError(
    'refused',
    `${host} redirects to ${target.origin}, where Ebb sends no credential.`,
  );
}

async function sendPatiently(parts: RestClientParts, request: RestRequest, url: string): Promise<RestAnswer> {
  const { method, repeatable = method !== 'POST', signal } = request;
  for (let attempt = 1; ; attempt += 1) {
    await parts.memory.turn(parts.host, method === 'POST' && repeatable ? 'GET' : method, signal);
    const credential = await request.authorize();
    const outcome = await send(parts, request, { url, credential }).catch((error: unknown) => error);
    const isLast = !repeatable || attempt === attempts;
    if (!(outcome instanceof Error)) {
      const answer = outcome as RestAnswer;
      if (answer.status < 500 || answer.headers.has('retry-after') || isLast) return answer;
    } else if (isLast || !(outcome instanceof SourceHostError) || outcome.code !== 'unreachable') {
      throw outcome;
    }
    await sleep(200 * 3 ** (attempt - 1) * (0.5 + Math.random()), undefined, { signal });
  }
}

async function send(
  { host, headers, memory, fetch }: RestClientParts,
  { method, body, signal }: RestRequest,
  { url, credential }: { url: string; credential: Record<string, string> },
): Promise<RestAnswer> {
  const known = method === 'GET' ? memory.answerOf(url) : undefined;
  const etag = known?.headers.get('etag');
  const limit = AbortSignal.timeout(requestMs);
  try {
    const response = await fetch(url, {
      method,
      headers: {
        ...headers,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(etag ? { 'if-none-match': etag } : {}),
        ...credential,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: 'manual',
      signal: AbortSignal.any([signal, limit]),
    });
    const text = await readText(response, method);
    if (response.status === 304 && known) return known;
    const answer = { status: response.status, headers: response.headers, body: parse(text) };
    if (method === 'GET' && response.status === 200) memory.keep(url, answer, text.length);
    return answer;
  } catch (error) {
    if (error instanceof SourceHostError) throw error;
    signal.throwIfAborted();
    if (limit.aborted) {
      const message = `${host} did not answer within ${requestMs / 1000} s. Try again in a minute.`;
      throw new SourceHostError('timeout', message, { cause: error });
    }
    if (error instanceof Error && error.cause instanceof AddressNotAllowedError) {
      const message = `Ebb does not ask ${new URL(url).origin}: ${error.cause.message}.`;
      throw new SourceHostError('refused', message, { cause: error });
    }
    const code = causeCode(error);
    const reason = code === undefined ? '' : ` (${code})`;
    const message = `${host} cannot be reached at ${new URL(url).origin}${reason}. Try again.`;
    throw new SourceHostError('unreachable', message, { cause: error });
  }
}

async function readText(response: Response, method: string): Promise<string> {
  try {
    return (await readBounded(response, maxBytes)).toString('utf8');
  } catch (error) {
    if (!(error instanceof TooLargeError)) throw error;
    // What changes something may have done so, whatever the answer looks like.
    const code = method === 'GET' ? 'refused' : 'unreachable';
    throw new SourceHostError(code, `The host's answer is larger than ${maxBytes} bytes.`);
  }
}

function parse(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
