import { finalStates } from '../../contract/build.ts';
import type { BuildOutcome } from '../../contract/runner.ts';
import type { ApiContext } from '../context.ts';
import { json } from '../db/database.ts';
import { conflict } from '../http/problem-error.ts';
import { type BuildRow, type OfAttempt, transition } from './state-machine.ts';

const maxAttempts = 3;

/** As it was read, and which attempt of it is to end. */
type BuildToEnd = BuildRow & OfAttempt;

/**
 * Ends an attempt as its runner (or the sweeper, for a runner that is gone) says. A lost one is tried again on a new
 * VM, up to three times and never once its deployment began. Reporting the same end again changes nothing; gives false
 * when the report is of another attempt or the build is over. Throws 409 `no_vm` for what only a VM can have led to.
 */
export async function endAttempt(
  context: ApiContext,
  build: BuildToEnd,
  outcome: BuildOutcome,
): Promise<boolean> {
  if (build.attempt !== outcome.attempt) return false;
  if (finalStates.includes(build.state)) return build.state === outcome.outcome;
  if (build.state === 'starting' && tellsOfCommands(outcome)) {
    const detail =
      'The build has no VM, so that no command ran for it to pass or fail by. Report vm_ready first.';
    throw conflict('no_vm', detail);
  }
  const ended =
    outcome.outcome === 'lost'
      ? await afterLoss(context, build, outcome)
      : await end(context, build, outcome);
  if (ended && outcome.outcome === 'lost') context.metrics?.attemptLost();
  await context.queue.announce(build.id).catch(() => undefined);
  return ended;
}

function tellsOfCommands({ outcome, failed_command, exit_code }: BuildOutcome): boolean {
  const ran = outcome === 'passed' || outcome === 'failed';
  return ran || failed_command !== undefined || exit_code !== undefined;
}

async function end(
  context: ApiContext,
  build: BuildToEnd,
  outcome: BuildOutcome & { outcome: string },
): Promise<boolean> {
  if (outcome.outcome === 'lost') throw new Error('A lost attempt does not end a build.');
  const row = await transition(
    context.database,
    build.id,
    outcome.outcome === 'passed' || outcome.outcome === 'failed' ? 'finish' : 'end',
    outcome.outcome,
    {
      // Who cancelled knows better why than the runner.
      reason: (outcome.outcome === 'cancelled' ? build.reason : null) ?? outcome.reason ?? null,
      failed_command: outcome.failed_command ?? null,
      exit_code: outcome.exit_code ?? null,
      finished_at: context.now(),
    },
    build,
  );
  if (row) context.metrics?.buildEnded(row.state);
  return row !== undefined;
}

async function afterLoss(context: ApiContext, build: BuildToEnd, outcome: BuildOutcome): Promise<boolean> {
  const why = outcome.reason ?? 'The VM or its runner was lost.';
  if (build.cancel_requested) return await endLost(context, build, { ...outcome, outcome: 'cancelled' });
  if (build.deploy_started) {
    const reason = `${why} This happened during the deployment, which Ebb never runs twice. See how far it got, then build again.`;
    return await endLost(context, build, { ...outcome, outcome: 'errored', reason });
  }
  if (build.attempt >= maxAttempts) {
    const losses = [...build.losses, why].map((loss, index) => `${index + 1}. ${loss}`).join(' ');
    const reason = `Lost on each of ${maxAttempts} VMs: ${losses} Given up after ${maxAttempts} attempts. Start the build again; if this stays, ask whoever operates Ebb.`;
    return await endLost(context, build, { ...outcome, outcome: 'errored', reason });
  }
  const fields = {
    ...{ reason: `${why} Trying again on a new VM.`, lease_holder: null, vm: null, phase: null },
    losses: json([...build.losses, why]),
  };
  const row = await transition(context.database, build.id, 'lose', 'queued', fields, build);
  if (!row) {
    const changed = await endsByNow(context, build);
    return changed !== undefined && (await afterLoss(context, { ...build, ...changed }, outcome));
  }
  // Where Redis is away the sweeper does it.
  await context.queue.requeue(build.id, build.lease_holder ?? '').catch(() => undefined);
  return true;
}

/** A runner leaves the lease of what it lost to run out. */
async function endLost(
  context: ApiContext,
  build: BuildToEnd,
  outcome: BuildOutcome & { outcome: string },
): Promise<boolean> {
  const ended = await end(context, build, outcome);
  // Where Redis is away the sweeper does it.
  if (ended) await context.queue.forget(build.id).catch(() => undefined);
  return ended;
}

/** The same attempt, when it was cancelled or began its deployment after `build` was read. */
async function endsByNow({ database }: ApiContext, build: BuildRow): Promise<BuildRow | undefined> {
  return await database
    .selectFrom('build')
    .selectAll()
    .where('id', '=', build.id)
    .where('attempt', '=', build.attempt)
    .where('lease_holder', 'is not distinct from', build.lease_holder)
    .where('state', 'in', ['starting', 'running'])
    .where((is) => is.or([is('cancel_requested', '=', true), is('deploy_started', '=', true)]))
    .executeTakeFirst();
}
