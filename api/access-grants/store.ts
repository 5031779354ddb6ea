import type { Selectable } from 'kysely';
import type { AccessGrant } from '../../contract/access-grant.ts';
import type { Database } from '../db/database.ts';
import type { Schema } from '../db/schema.ts';
import type { PageRequest } from '../http/page.ts';

export type GrantRow = Selectable<Schema['access_grant']>;
type NamedGrantRow = GrantRow & { team: string };

export function toGrant(row: NamedGrantRow): AccessGrant {
  return {
    ...{ id: row.id, team: row.team },
    created_at: row.created_at.toISOString(),
    ended_at: row.ended_at?.toISOString() ?? null,
    ...(row.project_id === null ? {} : { project_id: row.project_id }),
    ...{ reason: row.reason, scope: row.scope, notify: row.notify },
    // As it was declared, since Terraform compares the text: whole seconds.
    ends_at: row.ends_at.toISOString().replace('.000Z', 'Z'),
  };
}

/** Grants of a team that it did not take back; those that ran out are among them. */
function select(database: Database, teamId: string) {
  return database
    .selectFrom('access_grant')
    .innerJoin('team', 'team.id', 'access_grant.team_id')
    .selectAll('access_grant')
    .select('team.name as team')
    .where('access_grant.team_id', '=', teamId)
    .where('access_grant.deleted_at', 'is', null);
}

export async function findGrant(
  database: Database,
  teamId: string,
  id: string,
): Promise<NamedGrantRow | undefined> {
  return await select(database, teamId).where('access_grant.id', '=', id).executeTakeFirst();
}

export async function listGrants(
  database: Database,
  teamId: string,
  { limit, after }: PageRequest,
  filter: { natural?: { team: string; id: string } | undefined; projectId?: string | undefined },
): Promise<NamedGrantRow[]> {
  const { natural, projectId } = filter;
  return await select(database, teamId)
    .$if(after !== undefined, (query) => query.where('access_grant.id', '>', after ?? ''))
    .$if(projectId !== undefined, (query) => query.where('project_id', '=', projectId ?? ''))
    .$if(natural !== undefined, (query) =>
      query.where('team.name', '=', natural?.team ?? '').where('access_grant.id', '=', natural?.id ?? ''),
    )
    .orderBy('access_grant.id')
    .limit(limit + 1)
    .execute();
}

/** Grants whose team, and the project if they are for one alone, nobody revokes. */
export function grantsOfLive(database: Database) {
  return database
    .selectFrom('access_grant')
    .innerJoin('team', 'team.id', 'access_grant.team_id')
    .leftJoin('project', 'project.id', 'access_grant.project_id')
    .where('team.revoking_at', 'is', null)
    .where('project.revoking_at', 'is', null);
}

/** Whether a grant is one of those. */
export async function isOfLive(database: Database, id: string): Promise<boolean> {
  const grant = grantsOfLive(database).select('access_grant.id').where('access_grant.id', '=', id);
  return (await grant.executeTakeFirst()) !== undefined;
}

/** The row, which nobody else changes or uses until the transaction ends. */
export async function lockGrant(transaction: Database, id: string): Promise<GrantRow | undefined> {
  return await transaction
    .selectFrom('access_grant')
    .selectAll()
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst();
}
