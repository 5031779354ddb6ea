import { sql } from 'kysely';
import { type BuildOrder, QueueFullError } from '../../queue/build-queue.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { type BuildRow, transition } from './state-machine.ts';

/**
 * Puts an accepted build into the queue. When Redis is away the build stays `queued` and the sweeper does this later;
 * when the queue is full the build ends `errored` and QueueFullError is thrown.
 */
export async function enqueueBuild(context: ApiContext, build: BuildRow): Promise<void> {
  const { concurrency } = await context.database
    .selectFrom('project')
    .select('concurrency')
    .where('id', '=', build.project_id)
    .executeTakeFirstOrThrow();
  try {
    const entry = { build: build.id, project: build.project_id, team: build.team_id };
    await context.queue.enqueue(entry, concurrency, await expectation(context.database, build.project_id));
  } catch (error) {
    if (!(error instanceof QueueFullError)) {
      context.log.warn(
        { build: build.id, error: String(error) },
        'the queue did not take a build; the sweeper will try again',
      );
      return;
    }
    const reason = 'The queue was full when this build was accepted. Start it again in a few minutes.';
    await transition(context.database, build.id, 'refuse', 'errored', { reason, finished_at: context.now() });
    context.metrics?.buildEnded('errored');
    throw error;
  }
}

/**
 * The same for a build that an event of a source host started, if it is to run at all. A full queue ends the build with
 * its reason; the sender has done its part.
 */
export async function enqueueAccepted(context: ApiContext, build: BuildRow): Promise<void> {
  if (build.state !== 'queued') return;
  await enqueueBuild(context, build).catch((error) => {
    if (!(error instanceof QueueFullError)) throw error;
  });
}

/** What the project's builds took lately, so that teams with long ones wait for it in turn. */
export async function expectation(database: Database, projectId: string): Promise<BuildOrder> {
  const { seconds } = await database
    .selectFrom((from) =>
      from
        .selectFrom('build')
        .select(sql<number>`extract(epoch from finished_at - started_at)`.as('seconds'))
        .where('project_id', '=', projectId)
        .where('finished_at', 'is not', null)
        .where('started_at', 'is not', null)
        .orderBy('number', 'desc')
        .limit(10)
        .as('last'),
    )
    .select(({ fn }) => fn.avg('seconds').as('seconds'))
    .executeTakeFirstOrThrow();
  return seconds === null ? {} : { expectedSeconds: Math.max(1, Math.round(Number(seconds))) };
}
