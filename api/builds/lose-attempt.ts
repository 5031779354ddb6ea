import { finalStates } from '../../contract/build.ts';
import type { ApiContext } from '../context.ts';
import { endAttempt } from './end-attempt.ts';
import type { BuildRow } from './state-machine.ts';

/**
 * Ends the attempt of a build whose runner is gone. `build` was read before the queue said that nobody holds its lease: what
 * was claimed or taken over since then is left alone, and what its runner holds by the database's word.
 */
export async function loseAttempt(context: ApiContext, build: BuildRow): Promise<void> {
  const reason = 'The runner of this build is gone.';
  const unheld = { ...build, unheldAt: context.now() };
  if (await endAttempt(context, unheld, { attempt: build.attempt, outcome: 'lost', reason }))
    context.metrics?.repaired('lost');
  const after = await context.database
    .selectFrom('build')
    .select('state')
    .where('id', '=', build.id)
    .executeTakeFirst();
  if (after && finalStates.includes(after.state)) await context.queue.forget(build.id);
}
