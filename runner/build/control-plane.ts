import { setTimeout as delay } from 'node:timers/promises';
import type { CustodyReport } from '../../contract/custody-event.ts';
import type { Problem } from '../../contract/problem.ts';
import type {
  BuildOutcome,
  BuildSpecification,
  LeaseVerdict,
  MilestoneReport,
  PhaseReport,
} from '../../contract/runner.ts';
import type { TokenResponse } from '../../contract/token.ts';

/** What the API answered to the runner, when that is not what it asked for. */
export class ControlPlaneError extends Error {
  override name = 'ControlPlaneError';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** How a lease came to a runner that takes a build over. */
export interface Taken {
  /** Who may have had it before, one after the other. */
  takenFrom: string[];
  /** Whether the last of them gave it away; otherwise that one is lost. */
  handedOver: boolean;
}

/** The API as a runner sees it. Every call is safe to repeat, and is repeated until it is answered. */
export interface ControlPlane {
  /** `taken` says from whom, for a build that is under way. */
  claim(build: string, leaseHolder: string, signal: AbortSignal, taken?: Taken): Promise<BuildSpecification>;
  /** Any other call, as the runner itself; a body goes and comes as JSON. */
  request<T>(method: 'GET' | 'POST' | 'PUT', path: string, body: unknown, signal: AbortSignal): Promise<T>;
  /** Reports on one build, with the token that is good for this build only. */
  build(specification: BuildSpecification): BuildReports;
}

export interface BuildReports {
  /** Renews the lease where Redis does not; `place` as at `BuildQueue.heartbeat`. */
  heartbeat(place: string | undefined, signal: AbortSignal): Promise<LeaseVerdict['lease']>;
  milestone(report: Omit<MilestoneReport, 'attempt'>, signal: AbortSignal): Promise<void>;
  /** Why the build has no VM yet. */
  waiting(reason: string, signal: AbortSignal): Promise<void>;
  phase(phase: PhaseReport['phase'], signal: AbortSignal): Promise<void>;
  /** What is done with a key or a secret; see `createCustodyLog`. */
  custody(report: Omit<CustodyReport, 'attempt'>, signal: AbortSignal): Promise<void>;
  /** `cursor` is where a runner that takes the build over goes on, once the bytes are there. */
  appendLog(offset: number, data: Buffer, signal: AbortSignal, cursor?: string): Promise<void>;
  finish(outcome: Omit<BuildOutcome, 'attempt'>, signal: AbortSignal): Promise<void>;
}

const attemptTimeoutMs = 10_000;
// The API takes no more; who had the build long before is of no interest.
const maxTakenFrom = 50;
const retryStatuses = new Set([408, 425, 429, 500, 502, 503, 504]);

/**
 * @param options.url the API's address, without a slash at the end
 * @param options.apiKey an API key with the scope `runner`
 */
export function createControlPlane(options: { url: string; apiKey: string }): ControlPlane {
  let token: { value: string; renewAt: number } | undefined;

  const runnerToken = async (signal: AbortSignal): Promise<string> => {
    if (token && token.renewAt > performance.now()) return token.value;
    const answer = await send(`${options.url}/v1/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_secret: options.apiKey,
      }).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      signal,
    });
    const { access_token, expires_in } = (await answer.json()) as TokenResponse;
    token = { value: access_token, renewAt: performance.now() + (expires_in * 1000) / 2 };
    return access_token;
  };

  /** A token that is refused before its time, as after a change of keys, is asked for anew, once. */
  const asRunner = async (signal: AbortSignal, call: (bearer: string) => Promise<Response>) => {
    const bearer = await runnerToken(signal);
    try {
      return await call(bearer);
    } catch (error) {
      if (!(error instanceof ControlPlaneError) || error.status !== 401) throw error;
      if (token?.value === bearer) token = undefined;
      return await call(await runnerToken(signal));
    }
  };

  const post = (path: string, bearer: string, body: unknown, signal: AbortSignal) =>
    send(`${options.url}/v1/builds/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
      signal,
    });

  return {
    async claim(build, leaseHolder, signal, taken) {
      const body = {
        lease_holder: leaseHolder,
        ...(taken && { takes_over: taken.takenFrom.slice(-maxTakenFrom) }),
        ...(taken?.handedOver && { handed_over: true }),
      };
      const answer = await asRunner(signal, (bearer) => post(`${build}/claim`, bearer, body, signal));
      return (await answer.json()) as BuildSpecification;
    },
    async request<T>(method: string, path: string, body: unknown, signal: AbortSignal) {
      const answer = await asRunner(signal, (bearer) =>
        send(options.url + path, {
          method,
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          headers: {
            authorization: `Bearer ${bearer}`,
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          signal,
        }),
      );
      const said = await answer.text();
      return (said === '' ? undefined : JSON.parse(said)) as T;
    },
    build({ build_id, token: bearer, attempt }) {
      return {
        async heartbeat(place, signal) {
          const body = { attempt, ...(place !== undefined && { place }) };
          const answer = await post(`${build_id}/heartbeat`, bearer, body, signal);
          return ((await answer.json()) as LeaseVerdict).lease;
        },
        async milestone(report, signal) {
          await drain(await post(`${build_id}/milestones`, bearer, { ...report, attempt }, signal));
        },
        async waiting(reason, signal) {
          await drain(
            await post(`${build_id}/waiting`, bearer, { reason: reason.slice(0, 2000), attempt }, signal),
          );
        },
        async phase(phase, signal) {
          await drain(await post(`${build_id}/phase`, bearer, { phase, attempt }, signal));
        },
        async custody(report, signal) {
          await drain(await post(`${build_id}/custody-events`, bearer, { ...report, attempt }, signal));
        },
        async appendLog(offset, data, signal, cursor) {
          const where = new URLSearchParams({
            attempt: String(attempt),
            offset: String(offset),
            ...(cursor && { cursor }),
          });
          const answer = await send(`${options.url}/v1/builds/${build_id}/log?${where}`, {
            method: 'POST',
            body: new Uint8Array(data),
            headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/octet-stream' },
            signal,
          });
          await drain(answer);
        },
        async finish(outcome, signal) {
          await drain(await post(`${build_id}/finish`, bearer, { ...outcome, attempt }, signal));
        },
      };
    },
  };
}

type Call = Omit<RequestInit, 'signal'> & { signal: AbortSignal };

/** Sends until there is an answer that repeating would not change; waits 0.2 s at first, then up to 5 s. */
async function send(url: string, call: Call): Promise<Response> {
  for (let wait = 200; ; wait = Math.min(wait * 2, 5_000)) {
    call.signal.throwIfAborted();
    try {
      const answer = await fetch(url, {
        ...call,
        signal: AbortSignal.any([call.signal, AbortSignal.timeout(attemptTimeoutMs)]),
      });
      if (answer.ok) return answer;
      if (!retryStatuses.has(answer.status)) throw await refusal(answer);
      await drain(answer);
    } catch (error) {
      if (error instanceof ControlPlaneError || call.signal.aborted) throw error;
    }
    await delay(wait, undefined, { signal: call.signal });
  }
}

async function refusal(answer: Response): Promise<ControlPlaneError> {
  const problem = (await answer.json().catch(() => ({}))) as Partial<Problem>;
  const message = problem.detail ?? `The API answered ${answer.status}.`;
  return new ControlPlaneError(answer.status, problem.code ?? 'unknown', message);
}

/** An unread body would hold its connection. */
async function drain(answer: Response): Promise<void> {
  await answer.arrayBuffer();
}
