import { sql } from 'kysely';
import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { json } from '../db/database.ts';
import { conflict } from '../http/problem-error.ts';
import { lockLiveProject } from '../projects/lock-live-project.ts';
import { provesNothingHappened } from '../source-hosts/errors.ts';
import { noteAddition } from '../source-hosts/note-addition.ts';
import { type ProjectAtHost, projectAtHost } from '../source-hosts/project-at-host.ts';
import { removeAndConfirm } from '../source-hosts/remove-and-confirm.ts';
import { sourceHostProblem } from '../source-hosts/source-host-problem.ts';
import { checkDeclaredKey, type DeclaredKey, isAsDeclared, requireOwnKey } from './declared-key.ts';
import { type DeployKeyRow, deployKeyOfProject } from './deploy-key-store.ts';
import { addAtHost, hostedDeployKey } from './hosted-deploy-key.ts';
import { deleteRetiredKey, insertRetiredKey, removeRetiredKeys, unretireKey } from './retired-keys.ts';
import { makeSealedKey, type SealedKey } from './sealed-key.ts';

/**
 * Gives the project a new key when another one is declared than before. The new key is at the source host before builds
 * get it; the old one stays there until no build can need it any more. The new key is noted before it is added,
 * so that one which a crash leaves at the host is removed there later. Throws problems.
 */
export async function rotateDeployKey(
  context: ApiContext,
  row: DeployKeyRow,
  { keyId, ...declared }: DeclaredKey & { keyId: string },
  signal: AbortSignal,
): Promise<DeployKeyRow> {
  checkDeclaredKey(declared, row);
  const project = await projectAtHost(context, { projectId: row.project_id });
  const made = await makeSealedKey(context, project, declared.privateKey);
  if (isAsDeclared(row, declared, made)) return row;
  if (declared.privateKey) await requireOwnKey(context.database, { ...row, ...made });
  const { rotateWhen } = declared;
  try {
    const changed = await noteAddition(context, project.id, () =>
      replaceKey(context, { project, row, made, rotateWhen, keyId }, signal),
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
  made: SealedKey;
  rotateWhen: DeclaredKey['rotateWhen'];
  keyId: string;
}

async function replaceKey(
  context: ApiContext,
  replacing: Replacing,
  signal: AbortSignal,
): Promise<DeployKeyRow> {
  const { project, row, made } = replacing;
  await unretireKey(context.database, { ...row, ...made });
  const pending = await insertRetiredKey(context, { ...row, ...made, source_host_id: null });
  const hostedId = await addAtHost(project, made.public_key, signal).catch(async (error) => {
    if (provesNothingHappened(error)) await deleteRetiredKey(context.database, pending);
    throw error;
  });
  const changed = await swap(context, replacing, hostedId);
  if (changed) return changed;
  // Another request brought the same key along, and it is in use.
  const inUse = await deployKeyOfProject(context.database, row.project_id);
  if (inUse?.fingerprint === made.fingerprint) {
    await deleteRetiredKey(context.database, pending);
    return inUse;
  }
  await removeAndConfirm(hostedDeployKey(project, { ...made, source_host_id: hostedId }), signal);
  throw conflict(
    'changed_meanwhile',
    'The deploy key was rotated or removed at the same moment. Read it again.',
  );
}

async function swap(
  context: ApiContext,
  { project: { teamId }, row, made, rotateWhen, keyId }: Replacing,
  hostedId: string,
): Promise<DeployKeyRow | undefined> {
  const { database, now } = context;
  return await database.transaction().execute(async (transaction) => {
    const project = await lockLiveProject(transaction, row.project_id);
    const changed =
      project &&
      (await transaction
        .updateTable('deploy_key')
        .set({
          ...{ ...made, source_host_id: hostedId },
          rotate_when: rotateWhen && json(rotateWhen),
          ...{ looked_at: null, revoked_at_source_host_at: null, remove_again_at: null },
          version: sql<number>`version + 1`,
        })
        .where('id', '=', row.id)
        .where('version', '=', row.version)
        .returningAll()
        .executeTakeFirst());
    if (!changed) return undefined;
    await unretireKey(transaction, changed);
    await insertRetiredKey({ database: transaction, now }, row);
    await recordAudit(
      { ...context, database: transaction },
      {
        teamId,
        action: 'deploy_key.rotated',
        actor: keyId,
        subject: row.id,
        detail: {
          old_fingerprint: row.fingerprint,
          new_fingerprint: changed.fingerprint,
          made_by: changed.made_by,
        },
      },
    );
    return changed;
  });
}
