import { sql } from 'kysely';
import { type BuildOrder, QueueFullError } from '../../queue/build-queue.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import type { BuildRow } from './state-machine.ts';

/**
 * Puts an accepted build into the queue, if it is to run by now. When Redis is away, or the queue became full since
 * there was room, the build stays `queued` and the sweeper does this later.
 */
export async function enqueueBuild(context: ApiContext, build: BuildRow): Promise<void> {
  if (build.state !== 'queued') return;
  const { concurrency } = await context.database
    .selectFrom('project')
    .select('concurrency')
    .where('id', '=', build.project_id)
    .executeTakeFirstOrThrow();
  const entry = { build: build.id, project: build.project_id, team: build.team_id };
  const expected = await expectations(context.database, [build.project_id]);
  const order = { ...expected.get(build.project_id), priority: build.priority };
  try {
    await context.queue.enqueue(entry, concurrency, order);
  } catch (error) {
    if (error instanceof QueueFullError) await tellFull(context.database, build.id);
    const told = { build: build.id, error: String(error) };
    context.log.warn(told, 'the queue did not take a build; the sweeper will try again');
  }
}

async function tellFull(database: Database, buildId: string): Promise<void> {
  await database
    .updateTable('build')
    .set({ reason: 'Waiting: the queue is full; this build comes into it as soon as there is room.' })
    .where('id', '=', buildId)
    .where('state', '=', 'queued')
    .execute();
}

/** What the builds of each project took lately, so that teams with long ones wait for it in turn. */
export async function expectations(
  database: Database,
  projectIds: string[],
): Promise<Map<string, BuildOrder>> {
  if (projectIds.length === 0) return new Map();
  const rows = await database
    .selectFrom('project')
    .innerJoinLateral(
      (from) =>
        from
          .selectFrom('build')
          .select(sql<number>`extract(epoch from finished_at - started_at)`.as('seconds'))
          .whereRef('build.project_id', '=', 'project.id')
          .where('finished_at', 'is not', null)
          .where('started_at', 'is not', null)
          .orderBy('number', 'desc')
          .limit(10)
          .as('last'),
      (join) => join.onTrue(),
    )
    .select(({ fn }) => ['project.id', fn.avg('last.seconds').as('seconds')])
    .where('project.id', 'in', projectIds)
    .groupBy('project.id')
    .execute();
  return new Map(
    rows.map(({ id, seconds }) => [id, { expectedSeconds: Math.max(1, Math.round(Number(seconds))) }]),
  );
}
