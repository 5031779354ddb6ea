import type { BuildSpecification } from '../../contract/runner.ts';
import type { ApiContext } from '../context.ts';
import { json } from '../db/database.ts';
import { conflict, ProblemError } from '../http/problem-error.ts';
import { isHeld, wasHeldLately } from './heartbeat.ts';
import type { BuildRow } from './state-machine.ts';

// With the first one, four runners are lost until a build counts as what takes them down.
const maxTakeovers = 3;

/** From whom a runner takes a build over. */
export interface TakenOver {
  /** Names of who may have held the lease until it ran out. */
  from: string[];
  /** Whether the last of them gave it away; otherwise its runner is lost. */
  handedOver: boolean;
}

/**
 * Gives a running attempt to another lease, when it is still with one that ran out: of two runners that try, one goes
 * on. Who took it over may ask again, for an answer that got lost. Throws 409 `not_to_take_over`, and 503 `still_held` while
 * the database has given its word to the runner before. Run it in a transaction.
 */
export async function takeOver(
  { database, now }: ApiContext,
  buildId: string,
  leaseHolder: string,
  { from, handedOver }: TakenOver,
): Promise<{ build: BuildRow; repeated: boolean }> {
  const build = await database
    .selectFrom('build')
    .selectAll()
    .where('id', '=', buildId)
    .forUpdate()
    .executeTakeFirst();
  if (!build || !mayBeTakenOver(build)) throw refusal(build);
  const [before, last] = build.spent_leases.slice(-2);
  const repeated = last === leaseHolder && build.lease_holder === leaseHolder;
  if (repeated && from.includes(before ?? '')) return { build, repeated };
  if (!from.includes(build.lease_holder ?? '') || build.spent_leases.includes(leaseHolder))
    throw refusal(build);
  // Who took it over and was lost before the API heard of that had nothing of the build in its hands.
  const isLast = from.at(-1) === build.lease_holder;
  if (!(isLast && handedOver) && isHeld(build, now())) throw stillHeld(build, now());
  // Who held it until lately was too late at Redis, and not lost.
  const lost = isLast && !handedOver && !wasHeldLately(build, now());
  const taken = await database
    .updateTable('build')
    .set({
      lease_holder: leaseHolder,
      held_until: null,
      spent_leases: json([...build.spent_leases, leaseHolder]),
      takeovers: build.takeovers + (lost ? 1 : 0),
    })
    .where('id', '=', buildId)
    .returningAll()
    .executeTakeFirstOrThrow();
  return { build: taken, repeated: false };
}

/** Whether another runner can go on with the attempt: its VM was shared, and nobody wants it to end. */
export function mayBeTakenOver(build: Pick<BuildRow, 'state' | 'vm_handle' | 'cancel_requested'>): boolean {
  return build.state === 'running' && build.vm_handle !== null && !build.cancel_requested;
}

/** Why nobody should have the build any more, when too many runners were lost with it. */
export function whyPoisonous({
  takeovers,
  deploy_started,
}: Pick<BuildRow, 'takeovers' | 'deploy_started'>): string | undefined {
  if (takeovers <= maxTakeovers) return undefined;
  const deployed = deploy_started ? ' This happened during the deployment: see how far it got.' : '';
  return `${takeovers} runners, one after the other, were lost while they had this build.${deployed} Given up, because the build may be what takes them down. Start it again; if this stays, ask whoever operates Ebb.`;
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

/** For a moment only, so that whoever asks goes on asking. */
function stillHeld({ held_until }: BuildRow, now: Date) {
  const seconds = Math.ceil(((held_until ?? now).getTime() - now.getTime()) / 1000);
  const detail = `Redis was away, and the runner before may hold the build for ${seconds} s more. Keep the lease, and ask again.`;
  return new ProblemError(503, 'still_held', detail, { headers: { 'retry-after': String(seconds) } });
}
