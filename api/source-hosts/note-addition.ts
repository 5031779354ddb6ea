import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { ApiContext } from '../context.ts';
import { newId } from '../db/new-id.ts';
import { conflict, ProblemError } from '../http/problem-error.ts';
import { lockLiveProject } from '../projects/lock-live-project.ts';
import { provesNothingHappened } from './errors.ts';

// By the database's clock, which all servers share. A call is given up after 15 s; a host that is slow may do it later.
const endsAt = sql<Date>`now() + interval '30 seconds'`;
const lookMs = 100;

/**
 * Does something that adds to the source host of a project, noted while it is under way: a revocation removes and looks
 * only when that is over, so that nothing appears there afterwards. Throws 409 once a revocation began.
 */
export async function noteAddition<T>(
  { database }: Pick<ApiContext, 'database'>,
  projectId: string,
  add: () => Promise<T>,
): Promise<T> {
  const id = newId('add');
  await database.transaction().execute(async (transaction) => {
    const project = await lockLiveProject(transaction, projectId);
    if (!project) throw conflict('project_revoked', 'The project is being revoked.');
    await transaction.insertInto('addition').values({ id, project_id: projectId, ends_at: endsAt }).execute();
  });
  let isOver = true;
  try {
    return await add();
  } catch (error) {
    isOver = error instanceof ProblemError || provesNothingHappened(error);
    throw error;
  } finally {
    // Whatever gave no answer may still happen.
    if (isOver) await database.deleteFrom('addition').where('id', '=', id).execute();
  }
}

/** Resolves when nothing is being added for a project any more. Once it is being revoked, nothing new begins. */
export async function additionsEnded(
  { database }: Pick<ApiContext, 'database'>,
  projectId: string,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const left = await database
      .selectFrom('addition')
      .select('id')
      .where('project_id', '=', projectId)
      .where('ends_at', '>', sql<Date>`now()`)
      .limit(1)
      .executeTakeFirst();
    if (!left) return;
    await sleep(lookMs, undefined, { signal });
  }
}
