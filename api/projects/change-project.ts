import { type Project, project } from '../../contract/project.ts';
import { changedFields } from '../audit/changed-fields.ts';
import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { transact } from '../db/transact.ts';
import { applyPatch } from '../http/merge-patch.ts';
import { conflict } from '../http/problem-error.ts';
import { checkImage } from './check-image.ts';
import { checkEnvironment } from './environment-names.ts';
import { type ProjectRow, toProject, updateProject } from './store.ts';

/** Changes what a project declares; the audit names what changed, without values. Throws problems. */
export async function changeProject(
  context: ApiContext,
  row: ProjectRow,
  patch: Record<string, unknown>,
  keyId: string,
): Promise<Project> {
  const current = toProject(row);
  const changed = applyPatch(project.changeable, current, patch);
  checkEnvironment(changed.environment);
  checkImage(changed);
  await transact(context, async (inside) => {
    if (!(await updateProject(inside.database, changed, row.version))) {
      throw conflict(
        'changed_meanwhile',
        'The project was changed or revoked at the same moment. Read it again.',
      );
    }
    await recordAudit(inside, {
      ...{ teamId: row.team_id, action: 'project.changed', actor: keyId, subject: row.id },
      detail: {
        changed: changedFields(current, changed),
        environment: changedFields(current.environment, changed.environment),
      },
    });
  });
  return changed;
}
