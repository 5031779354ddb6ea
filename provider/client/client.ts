import { randomUUID } from 'node:crypto';
import { ApiError } from './api-error.ts';
import type { CreationNotes } from './creation-notes.ts';
import { type RetryParts, retry } from './retry.ts';
import { type AnswerCheck, type HttpAnswer, type HttpRequest, hasMember, isObject, send } from './send.ts';
import { createTokenSource, type IssuedToken } from './token-source.ts';

export interface ClientOptions {
  /** Base address without slash at its end. */
  endpoint: string;
  apiKey: string;
  userAgent: string;
  /** Ends everything that waits. */
  signal: AbortSignal;
  sleep?: RetryParts['sleep'];
  /** What earlier runs made that may be in no state. */
  notes?: CreationNotes;
  /** Is told of each attempt: what was asked for and how it went, never what was in it. */
  log?: { debug(message: string, fields: Record<string, unknown>): void };
}

export interface ApiRequest {
  method: HttpRequest['method'];
  /** With leading slash, `/v1/projects`. */
  path: string;
  body?: string;
  ifMatch?: string | undefined;
  /** Ends this one alone, at once. */
  signal?: AbortSignal;
  /** What is not, counts as no answer, and is asked for again. */
  isAnswer: AnswerCheck;
  /** What a creation makes, without its secrets: asked for again after a crash it is answered as the first time. */
  creationOf?: string;
}

/** Speaks with Ebb's API: signs in, retries what is safe to repeat, gives up in time. */
export interface Client {
  /** Exchanges the API key for a token now. */
  signIn(): Promise<void>;
  /** Throws `ApiError`, `ApiUnreachableError`, or the reason of the abort. */
  request(request: ApiRequest): Promise<HttpAnswer & { isRepeated?: boolean }>;
  /** Terraform's state has what was created, or it is gone. */
  recorded(id: string): Promise<void>;
  /** A token to hand on, good as long as it is renewed: with all scopes of the API key unless `scope` names some. */
  issueToken(wanted: { scope?: string; projectId?: string }): Promise<IssuedToken>;
  /** Resolves to the seconds that it is good for now. */
  renewToken(token: string): Promise<number>;
  revokeToken(token: string): Promise<void>;
}

const attempts = 7;
/** Signing in comes first: a mistyped endpoint should be told soon. */
const signInAttempts = 3;
const timeoutMilliseconds = 30_000;
/** By method, where it is longer: a change may take Ebb a minute, and a project is answered when it is revoked. */
const longerTimeouts: Record<string, number> = { PATCH: 75_000, POST: 75_000, DELETE: 300_000 };

export function createClient(options: ClientOptions): Client {
  const { endpoint, userAgent } = options;
  const retryParts = { signal: options.signal, ...(options.sleep && { sleep: options.sleep }) };
  const exchange = (more: Record<string, string> = {}) =>
    retry(() => exchangeKey(options, more), { ...retryParts, attempts: signInAttempts });
  const tokens = createTokenSource(() => exchange());
  const withHeld = (path: string, token: string, isAnswer: AnswerCheck, signal = options.signal) =>
    retry(() => sendForm({ ...options, signal }, path, { token }, isAnswer), {
      ...{ ...retryParts, signal, attempts },
    });

  const sendSigned = async (request: ApiRequest, idempotencyKey: string) => {
    const { method, path, body, isAnswer, signal } = request;
    const token = await unlessAborted(tokens.current(), signal);
    const headers: Record<string, string> = {
      accept: 'application/json',
      authorization: `Bearer ${token}`,
      'user-agent': userAgent,
      ...(request.body !== undefined && { 'content-type': 'application/json' }),
      ...(request.method === 'POST' && { 'idempotency-key': idempotencyKey }),
      ...(request.ifMatch && { 'if-match': request.ifMatch }),
    };
    const timeout = longerTimeouts[method] ?? timeoutMilliseconds;
    const url = `${endpoint}${path}`;
    const ends = { stop: options.signal, ...(signal && { signal }) };
    const call = { method, url, headers, isAnswer, timeoutMilliseconds: timeout, ...ends };
    const started = performance.now();
    const told = (outcome: object) =>
      options.log?.debug('request', {
        ...{ method, path, ...outcome, milliseconds: Math.round(performance.now() - started) },
      });
    try {
      const answer = await send(body === undefined ? call : { ...call, body });
      told({ status: answer.status });
      return answer;
    } catch (error) {
      told({ failed: String(error) });
      if (error instanceof ApiError && error.status === 401) tokens.discard(token);
      throw error;
    }
  };

  // One key for all attempts: what an earlier one made is answered again, not made twice.
  const requestOnce = async (request: ApiRequest, idempotencyKey: string) => {
    const signal = request.signal ? AbortSignal.any([request.signal, options.signal]) : options.signal;
    const once = () => retry(() => sendSigned(request, idempotencyKey), { ...retryParts, signal, attempts });
    try {
      return await once();
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return once();
      throw error;
    }
  };

  /** @param again whether it was begun anew: then a note that is still there cannot be removed, and it does without */
  const requestNoted = async (
    request: ApiRequest,
    again = false,
  ): Promise<HttpAnswer & { isRepeated?: boolean }> => {
    const { creationOf } = request;
    const noted = creationOf === undefined ? undefined : await options.notes?.begin(creationOf);
    if (!noted || (again && noted.isRepeated)) return await requestOnce(request, randomUUID());
    try {
      const answer = await requestOnce(request, noted.idempotencyKey);
      await noted.made(String(JSON.parse(answer.text).id));
      return { ...answer, isRepeated: noted.isRepeated };
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      await noted.refused();
      // Another secret than before: a creation of its own.
      if (noted.isRepeated && error.problem.code === 'idempotency_key_reused')
        return await requestNoted(request, true);
      throw error;
    }
  };

  return {
    async signIn() {
      await tokens.current();
    },
    issueToken: ({ scope, projectId }) =>
      exchange({ renewable: 'true', ...(scope && { scope }), ...(projectId && { project_id: projectId }) }),
    renewToken: async (token) =>
      Number(JSON.parse((await withHeld('/v1/token/renew', token, hasMember('expires_in'))).text).expires_in),
    async revokeToken(token) {
      // Also after everything else was stopped.
      await withHeld('/v1/token/revoke', token, isObject, AbortSignal.timeout(timeoutMilliseconds));
    },
    recorded: async (id) => options.notes?.recorded(id),
    request: (request) => requestNoted(request),
  };
}

/** Ends waiting, not what is waited for: others may wait for it, too. */
async function unlessAborted<T>(awaited: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return await awaited;
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([awaited, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** @see https://www.rfc-editor.org/rfc/rfc6749#section-4.4 */
async function exchangeKey(options: ClientOptions, more: Record<string, string>): Promise<IssuedToken> {
  const { apiKey } = options;
  const form = { grant_type: 'client_credentials', client_id: 'api-key', client_secret: apiKey, ...more };
  const isAnswer: AnswerCheck = (_, json) => tokenIn(json) !== undefined;
  const token = tokenIn(JSON.parse((await sendForm(options, '/v1/token', form, isAnswer)).text));
  if (!token) throw new TypeError('The answer holds no token.');
  return token;
}

function sendForm(
  { endpoint, userAgent, signal }: ClientOptions,
  path: string,
  form: Record<string, string>,
  isAnswer: AnswerCheck,
): Promise<HttpAnswer> {
  return send({
    ...{ method: 'POST', url: `${endpoint}${path}`, isAnswer },
    headers: {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      'user-agent': userAgent,
    },
    body: new URLSearchParams(form).toString(),
    timeoutMilliseconds,
    signal,
  });
}

function tokenIn(json: unknown): IssuedToken | undefined {
  const { access_token: token, expires_in: seconds } = (json ?? {}) as Record<string, unknown>;
  if (typeof token !== 'string' || typeof seconds !== 'number') return undefined;
  return { accessToken: token, expiresInSeconds: seconds };
}
