import { finalStates } from '../../contract/build.ts';
import type { ApiContext } from '../context.ts';
import { endAttempt } from './end-attempt.ts';
import type { BuildRow } from './state-machine.ts';

const settledAfterMs = 5_000;

/** Ends the attempt of a build whose runner is gone. One that was claimed a moment ago is left alone. */
export async function loseAttempt(context: ApiContext, build: BuildRow): Promise<void> {
  const started = build.started_at ?? build.queued_at;
  if (context.now().getTime() - started.getTime() < settledAfterMs) return;
  const reason = 'The runner of this build is gone.';
  if (await endAttempt(context, build, { attempt: build.attempt, outcome: 'lost', reason }))
    context.metrics?.repaired('lost');
  const after = await context.database
    .selectFrom('build')
    .select('state')
    .where('id', '=', build.id)
    .executeTakeFirst();
  if (after && finalStates.includes(after.state)) await context.queue.forget(build.id);
}
