import type { BuildSpecification } from '../../contract/runner.ts';
import type { ApiContext } from '../context.ts';
import { json } from '../db/database.ts';
import { conflict } from '../http/problem-error.ts';
import type { BuildRow } from './state-machine.ts';

/**
 * Gives a running attempt to another lease, when it is still with one that ran out: of two runners that try, one goes
 * on. Who took it over may ask again, for an answer that got lost. Throws 409 `not_to_take_over`. Run it in a transaction.
 */
export async function takeOver(
  { database }: ApiContext,
  buildId: string,
  leaseHolder: string,
  takesOver: string[],
): Promise<BuildRow> {
  const build = await database
    .selectFrom('build')
    .selectAll()
    .where('id', '=', buildId)
    .forUpdate()
    .executeTakeFirst();
  if (!build || !mayBeTakenOver(build)) throw refusal(build);
  const [before, last] = build.spent_leases.slice(-2);
  const repeated = last === leaseHolder && build.lease_holder === leaseHolder;
  if (repeated && takesOver.includes(before ?? '')) return build;
  if (!takesOver.includes(build.lease_holder ?? '') || build.spent_leases.includes(leaseHolder))
    throw refusal(build);
  return await database
    .updateTable('build')
    .set({ lease_holder: leaseHolder, spent_leases: json([...build.spent_leases, leaseHolder]) })
    .where('id', '=', buildId)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Whether another runner can go on with the attempt: its VM was shared, and nobody wants it to end. */
export function mayBeTakenOver(build: Pick<BuildRow, 'state' | 'vm_handle' | 'cancel_requested'>): boolean {
  return build.state === 'running' && build.vm_handle !== null && !build.cancel_requested;
}

/**
 * Where a build is gone on with, and the commands that it was begun with: its project may declare others by now. Run it
 * in the transaction of `takeOver`, after which nothing of the runner before is taken.
 */
export async function resumeOf(
  { database, now }: ApiContext,
  build: BuildRow,
): Promise<{
  steps: BuildSpecification['steps'];
  from: NonNullable<BuildSpecification['resume']>;
}> {
  const { parameters, vm_handle, log_cursor, vm_ready_at } = build;
  if (!parameters || vm_handle === null) throw refusal(build);
  const { events } = await database
    .selectFrom('custody_event')
    .select(({ fn }) => fn.max('number').as('events'))
    .where('build_id', '=', build.id)
    .where('attempt', '=', build.attempt)
    .executeTakeFirstOrThrow();
  const ranMs = now().getTime() - (vm_ready_at ?? now()).getTime();
  const { setup, test, deploy } = parameters.commands;
  const steps: BuildSpecification['steps'] = [
    { phase: 'setup', commands: setup },
    { phase: 'test', commands: test },
    { phase: 'deploy', commands: deploy },
  ];
  return {
    steps: steps.filter(({ commands }) => commands.length > 0),
    from: {
      vm_handle,
      ...(log_cursor !== null && { log_cursor }),
      custody_events: events ?? 0,
      seconds_left: Math.max(1, Math.ceil(parameters.timeoutSeconds - ranMs / 1000)),
    },
  };
}

function refusal(build: BuildRow | undefined) {
  const why = build ? `it is ${build.state}, or another runner goes on with it` : 'it is not there';
  return conflict('not_to_take_over', `The build cannot be taken over: ${why}. Leave it alone.`);
}
