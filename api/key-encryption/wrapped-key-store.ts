import { sql } from 'kysely';
import { parseWrappedKey } from '../../contract/custody/key-wrapper.ts';
import type { WrappedKeyChange } from '../../contract/key-encryption.ts';
import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { recordKeyRelease } from '../custody/record-key-release.ts';
import type { Database } from '../db/database.ts';
import type { PageRequest } from '../http/page.ts';

/** What wrapped a project's key, as the key itself says; see contract/custody/key-wrapper.ts. */
const wrappedBy = sql<string>`case strpos(wrapped_private_key, ' ')
  when 0 then 'unnamed' else split_part(wrapped_private_key, ' ', 1) end`;

/** Projects whose key lives on: what is being revoked is destroyed and not wrapped anew. */
function liveKeys(database: Database) {
  return database
    .selectFrom('project')
    .where('revoking_at', 'is', null)
    .where('wrapped_private_key', 'is not', null);
}

/**
 * Keys that another key wrapped than the API wraps with, by the id of their project, for a runner to wrap anew; one more
 * than `limit`. That they are handed out is in each team's audit.
 */
export async function releaseKeysOfOthers(
  context: ApiContext,
  actor: string,
  { limit, after }: PageRequest,
): Promise<{ id: string; wrapped_private_key: string }[]> {
  const wrappingKey = context.custody.wrappingKey;
  const rows = await liveKeys(context.database)
    .select(['id', 'team_id', sql<string>`wrapped_private_key`.as('wrapped_private_key')])
    .where(wrappedBy, '<>', wrappingKey)
    .$if(after !== undefined, (query) => query.where('id', '>', after ?? ''))
    .orderBy('id')
    .limit(limit + 1)
    .execute();
  for (const { id: projectId, team_id: teamId, wrapped_private_key: wrapped } of rows.slice(0, limit)) {
    const detail = { from: parseWrappedKey(wrapped).id ?? 'unnamed', to: wrappingKey };
    // One at a time: no transaction locks the chains of several teams.
    await context.database
      .transaction()
      .execute((database) =>
        recordKeyRelease({ ...context, database }, { teamId, projectId, actor, texts: [wrapped], detail }),
      );
  }
  return rows;
}

/** How many keys of live projects each key wrapped. */
export async function countByWrappingKey(
  database: Database,
): Promise<{ wrapping_key: string; projects: number }[]> {
  const rows = await liveKeys(database)
    .select([wrappedBy.as('wrapping_key'), sql<number>`count(*)::integer`.as('projects')])
    .groupBy(wrappedBy)
    .orderBy(wrappedBy)
    .execute();
  return rows;
}

/** Teams of live projects whose key another key than `wrappingKey` wrapped. */
export async function teamsOfOthers(database: Database, wrappingKey: string): Promise<string[]> {
  const rows = await liveKeys(database)
    .select('team_id')
    .distinct()
    .where(wrappedBy, '<>', wrappingKey)
    .orderBy('team_id')
    .execute();
  return rows.map(({ team_id }) => team_id);
}

/**
 * Puts a key that was wrapped anew in the place of the one that it was unwrapped from, and of no other. False when that
 * is not there any more, or when the project is being revoked.
 */
export async function swapWrappedKey(
  context: ApiContext,
  projectId: string,
  { from, to }: WrappedKeyChange,
): Promise<boolean> {
  return await context.database.transaction().execute(async (transaction) => {
    const project = await transaction
      .updateTable('project')
      .set({ wrapped_private_key: to })
      .where('id', '=', projectId)
      .where('wrapped_private_key', '=', from)
      .where('revoking_at', 'is', null)
      .returning('team_id')
      .executeTakeFirst();
    if (!project) return await isThere(transaction, projectId, to);
    const detail = {
      from: parseWrappedKey(from).id ?? 'unnamed',
      to: parseWrappedKey(to).id ?? 'unnamed',
    };
    await recordAudit(
      { ...context, database: transaction },
      {
        ...{ teamId: project.team_id, action: 'project_key.rewrapped', actor: 'runner' },
        ...{ subject: projectId, detail },
      },
    );
    return true;
  });
}

/** The answer to an earlier try may have got lost. */
async function isThere(database: Database, projectId: string, wrapped: string): Promise<boolean> {
  const row = await liveKeys(database)
    .select('id')
    .where('id', '=', projectId)
    .where('wrapped_private_key', '=', wrapped)
    .executeTakeFirst();
  return row !== undefined;
}
