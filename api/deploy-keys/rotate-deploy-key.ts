import { sql } from 'kysely';
import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { conflict } from '../http/problem-error.ts';
import { lockLiveProject } from '../projects/lock-live-project.ts';
import { provesNothingHappened } from '../source-hosts/errors.ts';
import { noteAddition } from '../source-hosts/note-addition.ts';
import { type ProjectAtHost, projectAtHost } from '../source-hosts/project-at-host.ts';
import { removeAndConfirm } from '../source-hosts/remove-and-confirm.ts';
import { sourceHostProblem } from '../source-hosts/source-host-problem.ts';
import type { DeployKeyRow } from './deploy-key-store.ts';
import { addAtHost, hostedDeployKey } from './hosted-deploy-key.ts';
import { deleteRetiredKey, insertRetiredKey, removeRetiredKeys } from './retired-keys.ts';
import { makeSealedKey } from './sealed-key.ts';

/**
 * Gives the project a new key when `rotation` is another word than before. The new key is at the source host before
 * builds get it; the old one stays there until no build can need it any more. The new key is noted before it is added,
 * so that one which a crash leaves at the host is removed there later. Throws problems.
 */
export async function rotateDeployKey(
  context: ApiContext,
  row: DeployKeyRow,
  { rotation, keyId }: { rotation: string | undefined; keyId: string },
  signal: AbortSignal,
): Promise<DeployKeyRow> {
  if (row.rotation === (rotation ?? null)) return row;
  const project = await projectAtHost(context, { projectId: row.project_id });
  try {
    const made = await makeSealedKey(context, project);
    const next = { ...made, rotation: rotation ?? null };
    const changed = await noteAddition(context, project.id, () =>
      replaceKey(context, { project, row, next, keyId }, signal),
    );
    // What cannot go yet, or when the host is away, goes later.
    await removeRetiredKeys(context, signal, row.project_id).catch(() => undefined);
    return changed;
  } catch (error) {
    throw sourceHostProblem(error);
  }
}

interface Replacing {
  project: ProjectAtHost;
  row: DeployKeyRow;
  next: Pick<DeployKeyRow, 'public_key' | 'fingerprint' | 'sealed_private_key' | 'rotation'>;
  keyId: string;
}

async function replaceKey(
  context: ApiContext,
  replacing: Replacing,
  signal: AbortSignal,
): Promise<DeployKeyRow> {
  const { project, row, next } = replacing;
  const pending = await insertRetiredKey(context, { ...row, ...next, source_host_id: null });
  const hostedId = await addAtHost(project, next.public_key, signal).catch(async (error) => {
    if (provesNothingHappened(error)) await deleteRetiredKey(context.database, pending);
    throw error;
  });
  const changed = await swap(context, replacing, { hostedId, pending });
  if (changed) return changed;
  await removeAndConfirm(hostedDeployKey(project, { ...next, source_host_id: hostedId }), signal);
  throw conflict(
    'changed_meanwhile',
    'The deploy key was rotated or removed at the same moment. Read it again.',
  );
}

async function swap(
  context: ApiContext,
  { project: { teamId }, row, next, keyId }: Replacing,
  { hostedId, pending }: { hostedId: string; pending: string },
): Promise<DeployKeyRow | undefined> {
  const { database, now } = context;
  return await database.transaction().execute(async (transaction) => {
    const project = await lockLiveProject(transaction, row.project_id);
    const changed =
      project &&
      (await transaction
        .updateTable('deploy_key')
        .set({
          ...{ ...next, source_host_id: hostedId },
          ...{ looked_at: null, revoked_at_source_host_at: null, remove_again_at: null },
          version: sql<number>`version + 1`,
        })
        .where('id', '=', row.id)
        .where('version', '=', row.version)
        .returningAll()
        .executeTakeFirst());
    if (!changed) return undefined;
    await deleteRetiredKey(transaction, pending);
    await insertRetiredKey({ database: transaction, now }, row);
    await recordAudit(
      { ...context, database: transaction },
      {
        teamId,
        action: 'deploy_key.rotated',
        actor: keyId,
        subject: row.id,
        detail: { old_fingerprint: row.fingerprint, new_fingerprint: changed.fingerprint },
      },
    );
    return changed;
  });
}
