import type { Selectable } from 'kysely';
import type { KeyRotation, KeyRotationTask } from '../../contract/key-rotation.ts';
import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { recordKeyRelease } from '../custody/record-key-release.ts';
import type { Database } from '../db/database.ts';
import { newId } from '../db/new-id.ts';
import type { Schema } from '../db/schema.ts';
import type { PageRequest } from '../http/page.ts';
import { conflict } from '../http/problem-error.ts';
import { lockLiveProject } from '../projects/lock-live-project.ts';

type KeyRotationRow = Selectable<Schema['key_rotation']>;

export function toKeyRotation(row: KeyRotationRow): KeyRotation {
  const { id, project_id, state, reason } = row;
  return {
    ...{ id, project_id, state, reason },
    requested_at: row.requested_at.toISOString(),
    finished_at: row.finished_at?.toISOString() ?? null,
  };
}

/** Asks for a rotation; one that waits already is given instead. 409 when the project is being revoked. */
export async function requestKeyRotation(
  context: ApiContext,
  projectId: string,
  actor: string,
): Promise<KeyRotationRow> {
  return await context.database.transaction().execute(async (transaction) => {
    const project = await lockLiveProject(transaction, projectId);
    if (!project) throw conflict('project_revoked', 'The project is being revoked.');
    const requested_at = context.now();
    const made = await transaction
      .insertInto('key_rotation')
      .values({
        ...{ id: newId('kro', requested_at.getTime()), project_id: projectId, state: 'waiting' },
        ...{ reason: null, requested_at, finished_at: null },
      })
      .onConflict((on) => on.column('project_id').where('state', '=', 'waiting').doNothing())
      .returningAll()
      .executeTakeFirst();
    if (!made) return await waitingRotation(transaction, projectId);
    await recordAudit(
      { ...context, database: transaction },
      {
        ...{ teamId: project.team_id, action: 'project_key.rotation_requested', actor },
        ...{ subject: projectId, detail: { rotation: made.id } },
      },
    );
    return made;
  });
}

async function waitingRotation(database: Database, projectId: string): Promise<KeyRotationRow> {
  return await database
    .selectFrom('key_rotation')
    .selectAll()
    .where('project_id', '=', projectId)
    .where('state', '=', 'waiting')
    .executeTakeFirstOrThrow();
}

export async function findKeyRotation(database: Database, id: string): Promise<KeyRotationRow | undefined> {
  return await database.selectFrom('key_rotation').selectAll().where('id', '=', id).executeTakeFirst();
}

/** Those that a runner could do now, oldest first; one more than `limit`. */
export async function waitingRotations(database: Database, { limit, after }: PageRequest) {
  return await database
    .selectFrom('key_rotation')
    .innerJoin('project', 'project.id', 'key_rotation.project_id')
    .select(['key_rotation.id', 'key_rotation.project_id'])
    .where('state', '=', 'waiting')
    .where('project.revoking_at', 'is', null)
    .$if(after !== undefined, (query) => query.where('key_rotation.id', '>', after ?? ''))
    .orderBy('key_rotation.id')
    .limit(limit + 1)
    .execute();
}

/**
 * All that is sealed to a project, as it is at one moment; that it is handed out, and to whom, is in the team's audit.
 * Undefined when the project is being revoked.
 */
export async function releaseTask(
  context: ApiContext,
  { id: rotation, project_id: projectId }: KeyRotationRow,
  actor: string,
): Promise<KeyRotationTask | undefined> {
  return await context.database.transaction().execute(async (transaction) => {
    const project = await lockLiveProject(transaction, projectId);
    const wrapped = project?.wrapped_private_key;
    if (!project || !wrapped) return undefined;
    const deployKey = await transaction
      .selectFrom('deploy_key')
      .select(['id', 'version', 'sealed_private_key', 'fingerprint'])
      .where('project_id', '=', projectId)
      // The private half of one that is to go is destroyed.
      .where('sealed_private_key', '!=', '')
      .executeTakeFirst();
    const secrets = await transaction
      .selectFrom('secret')
      .select(['id', 'version', 'name', 'sealed_value as value'])
      .where('project_id', '=', projectId)
      .orderBy('id')
      .execute();
    const names = secrets.map(({ name }) => name);
    await recordKeyRelease(
      { ...context, database: transaction },
      {
        ...{ teamId: project.team_id, projectId, actor },
        texts: [wrapped, deployKey?.sealed_private_key ?? '', ...secrets.map(({ value }) => value)],
        detail: { rotation, deploy_key: deployKey?.fingerprint ?? null, secrets: names },
      },
    );
    return {
      ...{ project_id: projectId, wrapped_private_key: wrapped, secrets },
      deploy_key: deployKey
        ? { id: deployKey.id, version: deployKey.version, private_key: deployKey.sealed_private_key }
        : null,
    };
  });
}
