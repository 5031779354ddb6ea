import { sql } from 'kysely';
import type { PhaseReport } from '../../contract/runner.ts';
import type { ApiContext } from '../context.ts';
import { conflict } from '../http/problem-error.ts';
import { requireLease } from './require-attempt.ts';
import type { BuildRow } from './state-machine.ts';

/**
 * Lets a runner go on to a phase of the attempt that it runs. Throws 409 when the build is not running or is to be
 * cancelled, and when its deployment was begun before: of a cancellation and a deployment at once, one is first.
 */
export async function beginPhase(
  { database }: ApiContext,
  build: BuildRow,
  phase: PhaseReport['phase'],
): Promise<void> {
  const begun = await database
    .updateTable('build')
    .set(
      phase === 'deploy'
        ? { phase, deploy_started: true }
        : { phase: sql`case when deploy_started then phase else ${phase} end` },
    )
    .where('id', '=', build.id)
    .where('attempt', '=', build.attempt)
    .where('lease_holder', 'is not distinct from', build.lease_holder)
    .where('state', '=', 'running')
    .where('cancel_requested', '=', false)
    // Who took the build over may begin with an earlier phase, of which all is done: the deployment stays begun.
    // A repeated report of the phase it is in is one whose answer got lost.
    .$if(phase === 'deploy', (query) =>
      query.where((is) => is.or([is('deploy_started', '=', false), is('phase', '=', 'deploy')])),
    )
    .returning('id')
    .executeTakeFirst();
  if (!begun) throw await refusal(database, build, phase);
}

async function refusal(database: ApiContext['database'], build: BuildRow, phase: string) {
  const now = await database
    .selectFrom('build')
    .select(['attempt', 'lease_holder', 'state', 'cancel_requested', 'deploy_started'])
    .where('id', '=', build.id)
    .executeTakeFirstOrThrow();
  requireLease(now, { attempt: build.attempt, leaseHolder: build.lease_holder ?? undefined });
  const { state, cancel_requested, deploy_started } = now;
  if (state === 'running' && cancel_requested)
    return conflict('cancelled', `The build was cancelled before ${phase} began.`);
  if (state === 'running' && deploy_started)
    return conflict(
      'deploy_started',
      'The deployment of this build was begun before; it is never run twice.',
    );
  return conflict('not_running', `The build is ${state}; a phase begins only while it is running.`);
}
