import type { JsonWebKey } from 'node:crypto';
import type { Selectable } from 'kysely';
import { thumbprint } from '../../contract/custody/thumbprint.ts';
import { type Database, json } from '../db/database.ts';
import type { Schema } from '../db/schema.ts';
import { splitNaturalId } from '../http/natural-id.ts';
import { conflict } from '../http/problem-error.ts';
import { lockLiveProject } from '../projects/lock-live-project.ts';

export type DeployKeyRow = Selectable<Schema['deploy_key']>;

/** What is found out later; a new key has none of it. */
type FoundLater = 'version' | 'looked_at' | 'revoked_at_source_host_at' | 'remove_again_at';
type NewDeployKeyRow = Omit<DeployKeyRow, FoundLater>;

export async function deployKeyOfProject(database: Database, projectId: string) {
  return await database
    .selectFrom('deploy_key')
    .selectAll()
    .where('project_id', '=', projectId)
    .executeTakeFirst();
}

/** A deploy key of a team whose project is not being revoked. */
export async function deployKeyOfTeam(database: Database, id: string, teamId: string) {
  return await database
    .selectFrom('deploy_key')
    .innerJoin('project', 'project.id', 'deploy_key.project_id')
    .selectAll('deploy_key')
    .where('deploy_key.id', '=', id)
    .where('project.team_id', '=', teamId)
    .where('project.revoking_at', 'is', null)
    .executeTakeFirst();
}

/**
 * Stores a key that is not at the source host yet; undefined when the project has one already. Run it in a transaction:
 * the project's row is locked, so that no key appears once a revocation began, or that was sealed to a key pair of
 * before: 409 then.
 */
export async function insertDeployKey(
  transaction: Database,
  key: NewDeployKeyRow,
  sealedTo: JsonWebKey,
): Promise<DeployKeyRow | undefined> {
  const project = await lockLiveProject(transaction, key.project_id);
  if (!project) throw conflict('project_revoked', 'The project is being revoked.', 'project_id');
  if (thumbprint(project.public_key) !== thumbprint(sealedTo))
    throw conflict('changed_meanwhile', "The project's key pair was rotated at the same moment. Try again.");
  return await transaction
    .insertInto('deploy_key')
    .values({ ...key, rotate_when: key.rotate_when && json(key.rotate_when) })
    .onConflict((on) => on.column('project_id').doNothing())
    .returningAll()
    .executeTakeFirst();
}

/** False when somebody removed or rotated the key in the meantime, or its project is being revoked. */
export async function setHostedKeyId(
  database: Database,
  { id, public_key }: Pick<DeployKeyRow, 'id' | 'public_key'>,
  hostedId: string,
): Promise<boolean> {
  const { numUpdatedRows } = await database
    .updateTable('deploy_key')
    .from('project')
    .set({ source_host_id: hostedId })
    .where('deploy_key.id', '=', id)
    .where('deploy_key.public_key', '=', public_key)
    .whereRef('project.id', '=', 'deploy_key.project_id')
    .where('project.revoking_at', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** False when somebody else did. */
export async function deleteDeployKeyRow(database: Database, id: string): Promise<boolean> {
  const { numDeletedRows } = await database.deleteFrom('deploy_key').where('id', '=', id).executeTakeFirst();
  return numDeletedRows === 1n;
}

export interface KeyFilter {
  teamId: string;
  projectId?: string | undefined;
  /** `team/project`. */
  naturalId?: string | undefined;
  after?: string | undefined;
  limit: number;
}

/** Keys that are at their source host, by id. */
export async function listDeployKeys(database: Database, filter: KeyFilter): Promise<DeployKeyRow[]> {
  const natural = splitNaturalId(filter.naturalId, ['team', 'project']);
  return await database
    .selectFrom('deploy_key')
    .innerJoin('project', 'project.id', 'deploy_key.project_id')
    .innerJoin('team', 'team.id', 'project.team_id')
    .selectAll('deploy_key')
    .where('project.team_id', '=', filter.teamId)
    .where('project.revoking_at', 'is', null)
    .where('deploy_key.source_host_id', 'is not', null)
    .$if(filter.projectId !== undefined, (q) => q.where('project.id', '=', filter.projectId ?? ''))
    .$if(natural !== undefined, (q) =>
      q.where('team.name', '=', natural?.team ?? '').where('project.name', '=', natural?.project ?? ''),
    )
    .$if(filter.after !== undefined, (q) => q.where('deploy_key.id', '>', filter.after ?? ''))
    .orderBy('deploy_key.id')
    .limit(filter.limit)
    .execute();
}
