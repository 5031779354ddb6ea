import type { Selectable } from 'kysely';
import type { Connection } from '../../contract/connection.ts';
import { type Database, json } from '../db/database.ts';
import type { Schema } from '../db/schema.ts';
import type { PageRequest } from '../http/page.ts';
import { conflict } from '../http/problem-error.ts';

export type ConnectionRow = Selectable<Schema['connection']> & { team: string };

export function toConnection(row: ConnectionRow): Connection {
  return {
    id: row.id,
    team: row.team,
    name: row.name,
    kind: row.kind,
    ...(row.url === null ? {} : { url: row.url }),
    ...(row.ssh_address === null ? {} : { ssh_address: row.ssh_address }),
    ...(row.app_id === null ? {} : { app_id: row.app_id }),
    ...(row.installation_id === null ? {} : { installation_id: row.installation_id }),
    ...(row.ssh_host_keys === null ? {} : { ssh_host_keys: row.ssh_host_keys }),
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
): Promise<ConnectionRow | undefined> {
  return await select(database, teamId).where('connection.id', '=', id).executeTakeFirst();
}

export async function listConnections(
  database: Database,
  teamId: string,
  { limit, after }: PageRequest,
  naturalId?: { team: string; name: string },
): Promise<ConnectionRow[]> {
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

export type NewConnection = Omit<Selectable<Schema['connection']>, 'version' | 'revoking_at'>;

/**
 * False when the team has a connection of this name. Run it in a transaction: the team is locked against a revocation
 * that begins meanwhile and would miss the connection: 409 then.
 */
export async function insertConnection(transaction: Database, row: NewConnection): Promise<boolean> {
  const team = await transaction
    .selectFrom('team')
    .select('id')
    .where('id', '=', row.team_id)
    .where('revoking_at', 'is', null)
    .forShare()
    .executeTakeFirst();
  if (!team) throw conflict('team_revoked', 'The team is being revoked.');
  const made = await transaction
    .insertInto('connection')
    .values({
      ...row,
      host_keys: json(row.host_keys),
      ssh_host_keys: row.ssh_host_keys && json(row.ssh_host_keys),
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst();
  return made !== undefined;
}

/** Writes what may change, unless somebody else did since `version`. */
export async function updateConnection(
  database: Database,
  row: Pick<
    ConnectionRow,
    | 'id'
    | 'version'
    | 'ssh_address'
    | 'app_id'
    | 'installation_id'
    | 'ssh_host_keys'
    | 'host_keys'
    | 'sealed_credential'
  >,
): Promise<boolean> {
  const { id, version, ssh_address, app_id, installation_id, ssh_host_keys, host_keys, sealed_credential } =
    row;
  const result = await database
    .updateTable('connection')
    .set({
      ...{ ssh_address, app_id, installation_id, sealed_credential },
      ssh_host_keys: ssh_host_keys && json(ssh_host_keys),
      host_keys: json(host_keys),
      version: version + 1,
    })
    .where('id', '=', id)
    .where('version', '=', version)
    .where('deleted_at', 'is', null)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/**
 * Deletes a connection and its credential, unless a live project uses it or a revocation needs it to its end; run it in
 * a transaction.
 */
export async function deleteConnection(
  transaction: Database,
  id: string,
  now: Date,
): Promise<'deleted' | 'in_use' | 'being_revoked'> {
  // Locked before the projects, as where a revocation begins.
  const connection = await transaction
    .selectFrom('connection')
    .select('revoking_at')
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst();
  if (connection?.revoking_at) return 'being_revoked';
  const users = await transaction
    .selectFrom('project')
    .select(['id', 'revoked_at'])
    .where('connection_id', '=', id)
    .forUpdate()
    .execute();
  if (users.some((project) => project.revoked_at === null)) return 'in_use';
  if (users.length > 0) {
    await transaction
      .updateTable('connection')
      .set({ deleted_at: now, sealed_credential: null })
      .where('id', '=', id)
      .execute();
  } else {
    await transaction.deleteFrom('connection').where('id', '=', id).execute();
  }
  return 'deleted';
}
