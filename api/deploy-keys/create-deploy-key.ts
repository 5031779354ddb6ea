import { deployKey } from '../../contract/deploy-key.ts';
import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { newId } from '../db/new-id.ts';
import { transact } from '../db/transact.ts';
import { howToImport } from '../http/how-to-import.ts';
import { conflict } from '../http/problem-error.ts';
import { provesNothingHappened } from '../source-hosts/errors.ts';
import { type ProjectAtHost, projectAtHost } from '../source-hosts/project-at-host.ts';
import { sourceHostProblem } from '../source-hosts/source-host-problem.ts';
import { withDeadline } from '../source-hosts/with-deadline.ts';
import { checkDeclaredKey, type DeclaredKey, isAsDeclared, requireOwnKey } from './declared-key.ts';
import { type DeployKeyRow, deployKeyOfProject, insertDeployKey } from './deploy-key-store.ts';
import { forgetDeployKey } from './forget-deploy-key.ts';
import { hostDeployKey, hostedDeployKey } from './hosted-deploy-key.ts';
import { unretireKey } from './retired-keys.ts';
import { makeSealedKey, type SealedKey } from './sealed-key.ts';

interface Wanted extends DeclaredKey {
  projectId: string;
  teamId: string;
  /** API key of who asks. */
  keyId: string;
}

/**
 * Makes the deploy key of a project, or takes the one that the team brings along, and adds it at the source host. The row
 * comes first: whatever crashes after it, the next call finds it and adds the same key again, which the host answers
 * with the same id.
 *
 * Throws problems: 404, 409 `deploy_key_exists`, 422 at what is declared, and what the source host says.
 */
export async function createDeployKey(
  context: ApiContext,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<DeployKeyRow> {
  const project = await projectAtHost(context, wanted);
  if (project.revokingAt) throw conflict('project_revoked', 'The project is being revoked.', 'project_id');
  checkDeclaredKey(wanted);
  const made = await makeSealedKey(context, project, wanted.privateKey);
  if (wanted.privateKey) await requireOwnKey(context.database, { project_id: project.id, ...made });
  try {
    await dropLostKey(context, project, wanted, signal);
    const left = await leftByAnother(context, project, wanted, made);
    const row = left ?? (await newRow(context, project, wanted, made));
    if (row.source_host_id !== null) throw alreadyThere(project);
    return await addRow(context, { project, row, fresh: !left, keyId: wanted.keyId }, signal);
  } catch (error) {
    throw sourceHostProblem(error);
  }
}

/** A key that somebody deleted at the source host opens nothing: its row makes room for a new one. */
async function dropLostKey(
  context: ApiContext,
  project: ProjectAtHost,
  { keyId }: Wanted,
  signal: AbortSignal,
): Promise<void> {
  const row = await deployKeyOfProject(context.database, project.id);
  if (!row?.source_host_id) return;
  const { find } = hostedDeployKey(project, row);
  if (await withDeadline(signal, 15_000, find)) throw alreadyThere(project);
  const why = 'The source host has it no longer.';
  await forgetDeployKey(context, { project, key: row, keyId, why });
}

/** What an attempt that did not come to its end left; when it declared another key, that one makes room. */
async function leftByAnother(
  context: ApiContext,
  project: ProjectAtHost,
  wanted: Wanted,
  made: SealedKey,
): Promise<DeployKeyRow | undefined> {
  const row = await deployKeyOfProject(context.database, project.id);
  if (!row || row.source_host_id !== null || isAsDeclared(row, wanted, made)) return row;
  const why = 'Another key was declared before it was complete.';
  await forgetDeployKey(context, { project, key: row, keyId: wanted.keyId, why, mayRemain: true });
  return undefined;
}

async function newRow(
  context: ApiContext,
  project: ProjectAtHost,
  { rotateWhen, keyId }: Wanted,
  made: SealedKey,
): Promise<DeployKeyRow> {
  const row = {
    id: newId('dk', context.now().getTime()),
    project_id: project.id,
    ...made,
    source_host_id: null,
    rotate_when: rotateWhen,
    created_at: context.now(),
  };
  return await transact(context, async (inside) => {
    const inserted = await insertDeployKey(inside.database, row, project.publicKey);
    if (!inserted) throw alreadyThere(project);
    await unretireKey(inside.database, inserted);
    await recordAudit(inside, {
      ...{ teamId: project.teamId, action: 'deploy_key.created', actor: keyId, subject: row.id },
      detail: { project: project.id, fingerprint: row.fingerprint, made_by: row.made_by },
    });
    return inserted;
  });
}

/** `fresh` when there was no row before, and so nothing at the source host either. */
async function addRow(
  context: ApiContext,
  {
    project,
    row,
    fresh,
    keyId,
  }: { project: ProjectAtHost; row: DeployKeyRow; fresh: boolean; keyId: string },
  signal: AbortSignal,
): Promise<DeployKeyRow> {
  try {
    return await hostDeployKey(context, project, row, signal);
  } catch (error) {
    // Otherwise the key may be there, by this attempt or the one that left the row, which stays to be completed.
    if (fresh && provesNothingHappened(error)) {
      const why = 'The source host did not take it.';
      await forgetDeployKey(context, { project, key: row, keyId, why });
    }
    throw error;
  }
}

function alreadyThere(project: ProjectAtHost) {
  const name = `${project.teamName}/${project.name}`;
  const how = howToImport(deployKey, project.teamName, { project: project.name });
  return conflict(
    'deploy_key_exists',
    `The project ${name} has a deploy key already. ${how} or delete it first.`,
    'project_id',
  );
}
