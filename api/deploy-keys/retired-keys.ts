import type { Selectable } from 'kysely';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { newId } from '../db/new-id.ts';
import type { Schema } from '../db/schema.ts';
import { projectAtHost } from '../source-hosts/project-at-host.ts';
import { removeAndConfirm } from '../source-hosts/remove-and-confirm.ts';
import { deployKeyOfProject } from './deploy-key-store.ts';
import { hostedDeployKey } from './hosted-deploy-key.ts';

export type RetiredKeyRow = Selectable<Schema['retired_deploy_key']>;

// What a rotation that is under way has noted is its own; and the clocks of two servers differ a little.
const settledAfterMs = 120_000;

/** Notes a key that is to go from the source host; gives the note's id. */
export async function insertRetiredKey(
  { database, now }: Pick<ApiContext, 'database' | 'now'>,
  key: Pick<RetiredKeyRow, 'project_id' | 'fingerprint' | 'public_key' | 'source_host_id'>,
): Promise<string> {
  const { project_id, fingerprint, public_key, source_host_id } = key;
  const id = newId('rdk', now().getTime());
  await database
    .insertInto('retired_deploy_key')
    .values({ id, project_id, fingerprint, public_key, source_host_id, retired_at: now() })
    .execute();
  return id;
}

/** A key that is in use again is to stay, whatever was noted of it before. */
export async function unretireKey(
  database: Database,
  { project_id, fingerprint }: Pick<RetiredKeyRow, 'project_id' | 'fingerprint'>,
): Promise<void> {
  await database
    .deleteFrom('retired_deploy_key')
    .where('project_id', '=', project_id)
    .where('fingerprint', '=', fingerprint)
    .execute();
}

export async function deleteRetiredKey(database: Database, id: string): Promise<void> {
  await database.deleteFrom('retired_deploy_key').where('id', '=', id).execute();
}

/** Keys that were rotated out or deleted and are, for all we know, still at the source host. */
export async function retiredKeysOfProject(database: Database, projectId: string): Promise<RetiredKeyRow[]> {
  return await database
    .selectFrom('retired_deploy_key')
    .selectAll()
    .where('project_id', '=', projectId)
    .orderBy('id')
    .execute();
}

/** Those, then the one in use. */
export async function keysOfProject(
  database: Database,
  projectId: string,
): Promise<Pick<RetiredKeyRow, 'fingerprint' | 'public_key' | 'source_host_id'>[]> {
  // It is read first: what is deleted between the two queries is in both, not in none.
  const inUse = await deployKeyOfProject(database, projectId);
  const retired = await retiredKeysOfProject(database, projectId);
  return [
    ...retired.filter(({ fingerprint }) => fingerprint !== inUse?.fingerprint),
    ...(inUse ? [inUse] : []),
  ];
}

/**
 * Removes rotated keys at their source hosts, each once every build that was given it has checked out. Gives how many
 * went; one that cannot be removed now, or whose repository is not shown, is left for the next time.
 */
export async function removeRetiredKeys(
  context: ApiContext,
  signal: AbortSignal,
  projectId?: string,
): Promise<number> {
  const rows = await context.database
    .selectFrom('retired_deploy_key')
    .innerJoin('project', 'project.id', 'retired_deploy_key.project_id')
    .selectAll('retired_deploy_key')
    // A revocation removes them itself.
    .where('project.revoking_at', 'is', null)
    .$if(projectId !== undefined, (query) => query.where('project.id', '=', projectId ?? ''))
    .execute();
  let removed = 0;
  for (const row of rows) {
    if (await isNeeded(context, row)) continue;
    if (await isUsedAgain(context.database, row)) continue;
    try {
      const project = await projectAtHost(context, { projectId: row.project_id });
      const seen = await removeAndConfirm(hostedDeployKey(project, row), signal);
      if (seen === 'no_repository') continue;
      await deleteRetiredKey(context.database, row.id);
      removed += 1;
    } catch (error) {
      signal.throwIfAborted();
      context.log.warn({ project: row.project_id, err: error }, 'a rotated key is still at its source host');
    }
  }
  return removed;
}

/** One that a team brings along may come back, and its note has gone then or goes now. */
async function isUsedAgain(database: Database, key: RetiredKeyRow): Promise<boolean> {
  const inUse = await deployKeyOfProject(database, key.project_id);
  if (inUse?.fingerprint === key.fingerprint) {
    await deleteRetiredKey(database, key.id);
    return true;
  }
  const noted = await database
    .selectFrom('retired_deploy_key')
    .select('id')
    .where('id', '=', key.id)
    .executeTakeFirst();
  return noted === undefined;
}

/** A build that was claimed before the rotation and has not checked out yet signs with the old key. */
async function isNeeded({ database, now }: ApiContext, key: RetiredKeyRow): Promise<boolean> {
  const { project_id, source_host_id, retired_at } = key;
  const settledAt = new Date(retired_at.getTime() + settledAfterMs);
  if (source_host_id === null) return now() < settledAt;
  const build = await database
    .selectFrom('build')
    .select('id')
    .where('project_id', '=', project_id)
    .where('state', 'in', ['starting', 'running'])
    .where('checkout_done_at', 'is', null)
    .where('started_at', '<=', settledAt)
    .limit(1)
    .executeTakeFirst();
  return build !== undefined;
}
