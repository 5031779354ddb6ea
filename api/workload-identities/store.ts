import type { Selectable } from 'kysely';
import type { Scope } from '../../contract/token.ts';
import type { WorkloadIdentity } from '../../contract/workload-identity.ts';
import { type Database, json } from '../db/database.ts';
import type { Schema } from '../db/schema.ts';
import type { PageRequest } from '../http/page.ts';

export type WorkloadIdentityRow = Selectable<Schema['workload_identity']> & { team: string; scopes: Scope[] };

export function toWorkloadIdentity(row: WorkloadIdentityRow): WorkloadIdentity {
  const { id, team, name, project_id, issuer, audience, claims, scopes } = row;
  return {
    ...{ id, team, created_at: row.created_at.toISOString(), name, issuer, audience, claims },
    ...(project_id === null ? {} : { project_id }),
    scopes: scopes as WorkloadIdentity['scopes'],
  };
}

function select(database: Database) {
  return database
    .selectFrom('workload_identity')
    .innerJoin('team', 'team.id', 'workload_identity.team_id')
    .innerJoin('api_key', 'api_key.id', 'workload_identity.api_key_id')
    .selectAll('workload_identity')
    .select(['team.name as team', 'api_key.scopes']);
}

export async function findWorkloadIdentity(
  database: Database,
  teamId: string,
  id: string,
): Promise<WorkloadIdentityRow | undefined> {
  return await select(database)
    .where('workload_identity.team_id', '=', teamId)
    .where('workload_identity.id', '=', id)
    .executeTakeFirst();
}

/** Whoever's it is: for who shows a token of its issuer. */
export async function findTrusted(database: Database, id: string): Promise<WorkloadIdentityRow | undefined> {
  return await select(database).where('workload_identity.id', '=', id).executeTakeFirst();
}

export async function listWorkloadIdentities(
  database: Database,
  teamId: string,
  { limit, after }: PageRequest,
  filter: { natural?: { team: string; name: string } | undefined; projectId?: string | undefined },
): Promise<WorkloadIdentityRow[]> {
  const { natural, projectId } = filter;
  return await select(database)
    .where('workload_identity.team_id', '=', teamId)
    .$if(after !== undefined, (query) => query.where('workload_identity.id', '>', after ?? ''))
    .$if(projectId !== undefined, (query) =>
      query.where('workload_identity.project_id', '=', projectId ?? ''),
    )
    .$if(natural !== undefined, (query) =>
      query
        .where('team.name', '=', natural?.team ?? '')
        .where('workload_identity.name', '=', natural?.name ?? ''),
    )
    .orderBy('workload_identity.id')
    .limit(limit + 1)
    .execute();
}

/** False when the team has one of this name. */
export async function insertWorkloadIdentity(
  transaction: Database,
  row: Omit<Selectable<Schema['workload_identity']>, 'version'>,
): Promise<boolean> {
  const made = await transaction
    .insertInto('workload_identity')
    .values({ ...row, claims: json(row.claims) })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst();
  return made !== undefined;
}

/** Writes what may change, the key that it is known by too, unless somebody else did since `version`. */
export async function updateWorkloadIdentity(
  transaction: Database,
  row: WorkloadIdentityRow,
): Promise<boolean> {
  const { id, version, issuer, audience, claims, scopes, api_key_id } = row;
  const changed = await transaction
    .updateTable('workload_identity')
    .set({ issuer, audience, claims: json(claims), api_key_id, version: version + 1 })
    .where('id', '=', id)
    .where('version', '=', version)
    .executeTakeFirst();
  if (changed.numUpdatedRows !== 1n) return false;
  await transaction
    .updateTable('api_key')
    .set({ scopes: json(scopes) })
    .where('id', '=', api_key_id)
    .execute();
  return true;
}

/** False when somebody else did. Its key stays, ended, because the audit names it. */
export async function deleteWorkloadIdentity(
  transaction: Database,
  { id, api_key_id }: WorkloadIdentityRow,
  now: Date,
): Promise<boolean> {
  const { numDeletedRows } = await transaction
    .deleteFrom('workload_identity')
    .where('id', '=', id)
    .executeTakeFirst();
  await endKey(transaction, api_key_id, now);
  return numDeletedRows === 1n;
}

/** Ends the tokens that were got by the key. */
export async function endKey(transaction: Database, id: string, now: Date): Promise<void> {
  await transaction
    .updateTable('api_key')
    .set({ revoked_at: now })
    .where('id', '=', id)
    .where('revoked_at', 'is', null)
    .execute();
}
