import { thumbprint } from '../../contract/custody/thumbprint.ts';
import type { KeyRotationResult } from '../../contract/key-rotation.ts';
import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { type Database, json } from '../db/database.ts';
import { conflict } from '../http/problem-error.ts';
import { requireWrappingKey } from '../key-encryption/require-wrapping-key.ts';

/**
 * Puts a new key pair, and everything sealed to it, in the place of the old: all at once, or nothing when a value was
 * added, changed or removed since it was read. The old wrapped private key is gone then. Throws 409: `not_waiting`
 * when it is over, `changed_meanwhile` when it has to be started over, `other_wrapping_key` when not every runner can
 * be expected to unwrap the new private key.
 */
export async function finishKeyRotation(
  context: ApiContext,
  rotationId: string,
  result: KeyRotationResult,
): Promise<void> {
  requireWrappingKey(context, result.wrapped_private_key, 'wrapped_private_key');
  await context.database.transaction().execute(async (transaction) => {
    const projectId = await projectOf(transaction, rotationId);
    // Exclusive: what seals a new value meanwhile waits, and then finds another key than it sealed to.
    const project = await transaction
      .selectFrom('project')
      .select(['team_id', 'public_key', 'wrapped_private_key'])
      .where('id', '=', projectId)
      .where('revoking_at', 'is', null)
      .forUpdate()
      .executeTakeFirst();
    // After the project is locked, as a revocation does it, so that the two cannot wait for each other.
    await endRotation(transaction, rotationId, { state: 'done', reason: null, at: context.now() });
    if (project?.wrapped_private_key !== result.from) throw changedMeanwhile();
    await replaceSecrets(transaction, projectId, result.secrets);
    await replaceDeployKey(transaction, projectId, result.deploy_key);
    await transaction
      .updateTable('project')
      .set({ public_key: json(result.public_key), wrapped_private_key: result.wrapped_private_key })
      .where('id', '=', projectId)
      .execute();
    const detail = {
      ...{ rotation: rotationId, secrets: result.secrets.length },
      ...{ from: thumbprint(project.public_key), to: thumbprint(result.public_key) },
    };
    await recordAudit(
      { ...context, database: transaction },
      {
        ...{ teamId: project.team_id, action: 'project_key.rotated', actor: 'runner' },
        ...{ subject: projectId, detail },
      },
    );
  });
}

/** Ends a rotation that could not be done; everything stays as it was. 409 `not_waiting` when it is over. */
export async function failKeyRotation(
  context: ApiContext,
  rotationId: string,
  reason: string,
): Promise<void> {
  await context.database.transaction().execute(async (transaction) => {
    const projectId = await endRotation(transaction, rotationId, {
      state: 'failed',
      reason,
      at: context.now(),
    });
    const { team_id } = await transaction
      .selectFrom('project')
      .select('team_id')
      .where('id', '=', projectId)
      .executeTakeFirstOrThrow();
    await recordAudit(
      { ...context, database: transaction },
      {
        ...{ teamId: team_id, action: 'project_key.rotation_failed', actor: 'runner' },
        ...{ subject: projectId, detail: { rotation: rotationId, reason } },
      },
    );
  });
}

async function projectOf(transaction: Database, id: string): Promise<string> {
  const row = await transaction
    .selectFrom('key_rotation')
    .select('project_id')
    .where('id', '=', id)
    .executeTakeFirst();
  if (row) return row.project_id;
  throw conflict('not_waiting', 'There is no rotation of this id.');
}

async function endRotation(
  transaction: Database,
  id: string,
  { state, reason, at }: { state: 'done' | 'failed'; reason: string | null; at: Date },
): Promise<string> {
  const row = await transaction
    .updateTable('key_rotation')
    .set({ state, reason, finished_at: at })
    .where('id', '=', id)
    .where('state', '=', 'waiting')
    .returning('project_id')
    .executeTakeFirst();
  if (row) return row.project_id;
  throw conflict('not_waiting', 'The rotation is over.');
}

async function replaceSecrets(
  transaction: Database,
  projectId: string,
  secrets: KeyRotationResult['secrets'],
): Promise<void> {
  const rows = await transaction
    .selectFrom('secret')
    .select(['id', 'version'])
    .where('project_id', '=', projectId)
    .forUpdate()
    .execute();
  const given = new Map(secrets.map((secret) => [secret.id, secret]));
  const same = rows.every(({ id, version }) => given.get(id)?.version === version);
  if (!same || rows.length !== secrets.length) throw changedMeanwhile();
  for (const { id, version, value } of secrets)
    await transaction
      .updateTable('secret')
      .set({ sealed_value: value, version: version + 1 })
      .where('id', '=', id)
      .execute();
}

async function replaceDeployKey(
  transaction: Database,
  projectId: string,
  deployKey: KeyRotationResult['deploy_key'],
): Promise<void> {
  const row = await transaction
    .selectFrom('deploy_key')
    .select(['id', 'version'])
    .where('project_id', '=', projectId)
    .where('sealed_private_key', '!=', '')
    .forUpdate()
    .executeTakeFirst();
  if (row?.id !== deployKey?.id || row?.version !== deployKey?.version) throw changedMeanwhile();
  if (!deployKey) return;
  await transaction
    .updateTable('deploy_key')
    .set({ sealed_private_key: deployKey.private_key, version: deployKey.version + 1 })
    .where('id', '=', deployKey.id)
    .execute();
}

function changedMeanwhile() {
  return conflict('changed_meanwhile', 'What is sealed to the project was changed meanwhile. Read it again.');
}
