import type { ApiKey } from '../../contract/api-key.ts';
import type { ApiKeyRow } from '../auth/api-key.ts';
import type { Database } from '../db/database.ts';
import type { PageRequest } from '../http/page.ts';

export function toApiKey(row: ApiKeyRow): ApiKey {
  const { id, name, scopes, project_id, created_by, created_at, ends_at, last_used_at, revoked_at } = row;
  return {
    ...{ id, name, scopes, created_at: created_at.toISOString(), created_by },
    ...(project_id === null ? {} : { project_id }),
    expires_at: ends_at?.toISOString() ?? null,
    last_used_at: last_used_at?.toISOString() ?? null,
    revoked_at: revoked_at?.toISOString() ?? null,
  };
}

/** Keys that somebody holds, not those that stand for something else. */
function held(database: Database, teamId: string) {
  return database.selectFrom('api_key').selectAll().where('team_id', '=', teamId).where('kind', '=', 'key');
}

export async function findHeldKey(
  database: Database,
  teamId: string,
  id: string,
): Promise<ApiKeyRow | undefined> {
  return await held(database, teamId).where('id', '=', id).executeTakeFirst();
}

/** Oldest first, those that ended too. */
export async function listHeldKeys(
  database: Database,
  teamId: string,
  { limit, after }: PageRequest,
  projectId: string | undefined,
): Promise<ApiKeyRow[]> {
  return await held(database, teamId)
    .$if(after !== undefined, (query) => query.where('id', '>', after ?? ''))
    .$if(projectId !== undefined, (query) => query.where('project_id', '=', projectId ?? ''))
    .orderBy('id')
    .limit(limit + 1)
    .execute();
}
