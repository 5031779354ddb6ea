import type { Selectable } from 'kysely';
import type { Connection } from '../../contract/connection.ts';
import { type Database, json } from '../db/database.ts';
import type { Schema } from '../db/schema.ts';
import type { PageRequest } from '../http/page.ts';

type Row = Selectable<Schema['connection']> & { team: string };

export function toConnection(row: Row): Connection {
  return {
    id: row.id,
    team: row.team,
    name: row.name,
    kind: row.kind,
    host_keys: row.host_keys,
    created_at: row.created_at.toISOString(),
  };
}

function select(database: Database, teamId: string) {
  return database
    .selectFrom('connection')
    .innerJoin('team', 'team.id', 'connection.team_id')
    .selectAll('connection')
    .select('team.name as team')
    .where('connection.team_id', '=', teamId)
    .where('connection.deleted_at', 'is', null);
}

export async function findConnection(
  database: Database,
  teamId: string,
  id: string,
): Promise<Row | undefined> {
  return await select(database, teamId).where('connection.id', '=', id).executeTakeFirst();
}

export async function listConnections(
  database: Database,
  teamId: string,
  { limit, after }: PageRequest,
  naturalId?: { team: string; name: string },
): Promise<Row[]> {
  return await select(database, teamId)
    .$if(after !== undefined, (query) => query.where('connection.id', '>', after ?? ''))
    .$if(naturalId !== undefined, (query) =>
      query
        .where('team.name', '=', naturalId?.team ?? '')
        .where('connection.name', '=', naturalId?.name ?? ''),
    )
    .orderBy('connection.id')
    .limit(limit + 1)
    .execute();
}

/** False when the team has a connection of this name. */
export async function insertConnection(
  database: Database,
  row: Selectable<Schema['connection']>,
): Promise<boolean> {
  const made = await database
    .insertInto('connection')
    .values({ ...row, host_keys: json(row.host_keys) })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst();
  return made !== undefined;
}

/** Deletes a connection, unless a live project uses it. */
export async function deleteConnection(
  database: Database,
  id: string,
  now: Date,
): Promise<'deleted' | 'in_use'> {
  return await database.transaction().execute(async (transaction) => {
    const users = await transaction
      .selectFrom('project')
      .select(['id', 'revoked_at'])
      .where('connection_id', '=', id)
      .forUpdate()
      .execute();
    if (users.some((project) => project.revoked_at === null)) return 'in_use';
    if (users.length > 0) {
      await transaction.updateTable('connection').set({ deleted_at: now }).where('id', '=', id).execute();
    } else {
      await transaction.deleteFrom('connection').where('id', '=', id).execute();
    }
    return 'deleted';
  });
}
