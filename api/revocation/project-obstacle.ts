import type { LeftAtSourceHost } from '../../contract/revocation.ts';
import type { ApiContext } from '../context.ts';
import { ProblemError } from '../http/problem-error.ts';
import { SourceHostError } from '../source-hosts/errors.ts';
import { projectAtHost } from '../source-hosts/project-at-host.ts';
import { type Held, holdUp, holdUpByFault, isDone } from './attempt.ts';
import { sourceHostSteps } from './clear-source-host.ts';
import { BuildsStillEnding } from './end-builds.ts';
import { leftAtSourceHost, removeByHand } from './left-at-source-host.ts';
import type { RevocationRow } from './revocation-store.ts';

const passing = ['unreachable', 'timeout', 'rate_limited'];
const waitForBuildsMs = 10_000;
const waitForHostMs = 60_000;

/** Notes why a project's revocation does not go on, and gives the 503 problem that tells it; other errors as they are. */
export async function heldUpProject(held: Held, error: unknown): Promise<unknown> {
  if (error instanceof BuildsStillEnding) return await heldUpByBuilds(held, error);
  if (error instanceof SourceHostError) return await heldUpByHost(held, error);
  await holdUpByFault(held);
  return error;
}

async function heldUpByBuilds(held: Held, { code, message }: BuildsStillEnding): Promise<ProblemError> {
  const detail = `${message} The project's secrets are destroyed; Ebb goes on by itself, and the same request tells how far it is.`;
  const found = { step: 'builds_cancelled', code, detail, remove_by_hand: [] };
  await holdUp(held, found, waitForBuildsMs);
  return new ProblemError(503, code, detail, { headers: { 'retry-after': '10' } });
}

async function heldUpByHost(held: Held, error: SourceHostError): Promise<ProblemError> {
  const { context, revocation } = held;
  const open = sourceHostSteps.filter(({ step }) => !isDone(revocation, step)).map(({ step }) => step);
  const remove_by_hand = await leftOf(context, revocation);
  const code = `source_host_${passing.includes(error.code) ? 'unreachable' : 'refused'}`;
  const detail = [
    `The project's secrets are destroyed and its builds are cancelled, but the source host holds up ${open.join(', ')}: ${error.message}`,
    removeByHand(remove_by_hand),
    `Ebb tries again by itself and finishes when the source host shows them gone; the same request tries at once. GET /v1/revocations/${revocation.id} tells how far it is.`,
  ]
    .filter((sentence) => sentence !== '')
    .join(' ');
  const wait = Math.max(waitForHostMs, (error.retryAfterSeconds ?? 0) * 1000);
  await holdUp(held, { step: open[0] ?? 'absence_confirmed', code, detail, remove_by_hand }, wait);
  context.log.warn({ revocation: revocation.id, code: error.code }, 'a revocation waits for its source host');
  // Who waits for a host that is away is served sooner than the background.
  const seconds = passing.includes(error.code) ? (error.retryAfterSeconds ?? 10) : 60;
  return new ProblemError(503, code, detail, {
    cause: error,
    headers: { 'retry-after': String(seconds) },
  });
}

/** What Ebb may have left at the source host, as far as the steps have come. */
async function leftOf(context: ApiContext, revocation: RevocationRow): Promise<LeftAtSourceHost[]> {
  const project = await projectAtHost(context, { projectId: revocation.subject });
  return await leftAtSourceHost(context, project, {
    hook: !isDone(revocation, 'hook_removed'),
    deployKeys: !isDone(revocation, 'deploy_key_removed'),
  });
}
