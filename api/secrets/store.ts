import type { JsonWebKey } from 'node:crypto';
import type { Selectable } from 'kysely';
import { thumbprint } from '../../contract/custody/thumbprint.ts';
import type { Secret } from '../../contract/secret.ts';
import { type Database, json } from '../db/database.ts';
import type { Schema } from '../db/schema.ts';
import type { PageRequest } from '../http/page.ts';
import { lockLiveProject } from '../projects/lock-live-project.ts';

export type SecretRow = Selectable<Schema['secret']>;

export function toSecret(row: SecretRow): Secret {
  const { id, project_id, name, phases } = row;
  return { id, project_id, name, phases, created_at: row.created_at.toISOString() };
}

/** Secrets of a team's live projects. */
function select(database: Database, teamId: string) {
  return database
    .selectFrom('secret')
    .innerJoin('project', 'project.id', 'secret.project_id')
    .innerJoin('team', 'team.id', 'project.team_id')
    .selectAll('secret')
    .where('project.team_id', '=', teamId)
    .where('project.revoked_at', 'is', null);
}

export async function findSecret(
  database: Database,
  teamId: string,
  id: string,
): Promise<SecretRow | undefined> {
  return await select(database, teamId).where('secret.id', '=', id).executeTakeFirst();
}

export async function listSecrets(
  database: Database,
  teamId: string,
  { limit, after }: PageRequest,
  filter: {
    natural?: { team: string; project: string; name: string } | undefined;
    projectId?: string | undefined;
  },
): Promise<SecretRow[]> {
  const { natural, projectId } = filter;
  return await select(database, teamId)
    .$if(after !== undefined, (query) => query.where('secret.id', '>', after ?? ''))
    .$if(projectId !== undefined, (query) => query.where('secret.project_id', '=', projectId ?? ''))
    .$if(natural !== undefined, (query) =>
      query
        .where('team.name', '=', natural?.team ?? '')
        .where('project.name', '=', natural?.project ?? '')
        .where('secret.name', '=', natural?.name ?? ''),
    )
    .orderBy('secret.id')
    .limit(limit + 1)
    .execute();
}

/**
 * Run it in a transaction. The project is locked against a revocation that begins meanwhile: it would destroy the
 * secrets and miss this one; and against a rotation, which would leave it sealed to a key pair of before.
 */
export async function insertSecret(
  transaction: Database,
  row: Omit<SecretRow, 'version'>,
  sealedTo: JsonWebKey,
): Promise<'made' | 'name_taken' | 'project_revoked' | 'key_rotated'> {
  const live = await lockLiveProject(transaction, row.project_id);
  if (!live) return 'project_revoked';
  if (thumbprint(live.public_key) !== thumbprint(sealedTo)) return 'key_rotated';
  const made = await transaction
    .insertInto('secret')
    .values({ ...row, phases: json(row.phases) })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst();
  return made ? 'made' : 'name_taken';
}

export async function updateSecret(
  database: Database,
  row: Pick<SecretRow, 'id' | 'phases' | 'sealed_value' | 'version'>,
): Promise<boolean> {
  const result = await database
    .updateTable('secret')
    .set({ phases: json(row.phases), sealed_value: row.sealed_value, version: row.version + 1 })
    .where('id', '=', row.id)
    .where('version', '=', row.version)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** False when somebody else did. */
export async function deleteSecret(database: Database, id: string): Promise<boolean> {
  const { numDeletedRows } = await database.deleteFrom('secret').where('id', '=', id).executeTakeFirst();
  return numDeletedRows === 1n;
}
