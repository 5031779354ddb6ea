import { QueueFullError } from '../../queue/build-queue.ts';
import type { ApiContext } from '../context.ts';
import { expectations } from './enqueue-build.ts';
import type { BuildRow } from './state-machine.ts';

export type ToQueue = Pick<BuildRow, 'id' | 'project_id' | 'team_id' | 'queued_at' | 'priority'>;

/**
 * Puts builds back into the queue that are not there any more, at their old places. Where it is full they wait in the
 * database: they were accepted.
 */
export async function enqueueAgain(context: ApiContext, builds: ToQueue[]): Promise<void> {
  const known = await projectsOf(context, builds);
  const enqueued = await Promise.allSettled(
    builds.map(async (build) => {
      const { concurrency, order } = known(build);
      await context.queue.enqueue(entryOf(build), concurrency, order);
    }),
  );
  context.metrics?.repaired('enqueued', enqueued.filter((one) => one.status === 'fulfilled').length);
  const refused = enqueued.filter((one) => one.status === 'rejected').map(({ reason }) => reason);
  const other = refused.find((reason) => !(reason instanceof QueueFullError));
  if (other) throw other;
  if (refused.length > 0)
    context.log.warn({ builds: refused.length }, 'the queue is full; builds wait for it');
}

/**
 * Gives builds that run back to who holds their lease, for `leaseMs`; one that somebody holds meanwhile stays with him. Of one
 * with an `earlier` holder Redis had lost that it was leased anew.
 */
export async function leaseAgain(
  context: ApiContext,
  builds: (ToQueue & { lease_holder: string; earlier: string | undefined })[],
  leaseMs: number,
): Promise<void> {
  const known = await projectsOf(context, builds);
  const restored = await Promise.all(
    builds.map(async (build) => {
      const { concurrency, order } = known(build);
      const lease = { holder: build.lease_holder, leaseMs, earlier: build.earlier };
      return await context.queue.restore(entryOf(build), lease, concurrency, order);
    }),
  );
  context.metrics?.repaired('leased_again', restored.filter(Boolean).length);
}

/** Has the queue know the concurrency that the projects declare. */
export async function limitProjects({ database, queue }: ApiContext, ids: Set<string>): Promise<void> {
  if (ids.size === 0) return;
  const projects = await database
    .selectFrom('project')
    .select(['id', 'concurrency'])
    .where('id', 'in', [...ids])
    .execute();
  await Promise.all(projects.map(({ id, concurrency }) => queue.setConcurrency(id, concurrency)));
}

function entryOf({ id, project_id, team_id }: ToQueue) {
  return { build: id, project: project_id, team: team_id };
}

/** What the queue has to know of each build, asked once for all projects. */
async function projectsOf({ database }: ApiContext, builds: ToQueue[]) {
  const ids = [...new Set(builds.map(({ project_id }) => project_id))];
  const projects =
    ids.length === 0
      ? []
      : await database.selectFrom('project').select(['id', 'concurrency']).where('id', 'in', ids).execute();
  const concurrency = new Map(projects.map((project) => [project.id, project.concurrency]));
  const expected = await expectations(database, ids);
  return ({ project_id, queued_at, priority }: ToQueue) => ({
    concurrency: concurrency.get(project_id) ?? 1,
    order: { ...expected.get(project_id), arrivedAt: queued_at, priority },
  });
}
