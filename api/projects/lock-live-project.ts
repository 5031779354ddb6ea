import type { Database } from '../db/database.ts';
import { invalidField, type ProblemError } from '../http/problem-error.ts';

/**
 * The keys of a project that is not being revoked, which neither a revocation nor a rotation changes before the
 * transaction ends. What the transaction reads after this fits to them.
 */
export async function lockLiveProject(transaction: Database, projectId: string) {
  return await transaction
    .selectFrom('project')
    .select(['team_id', 'public_key', 'wrapped_private_key'])
    .where('id', '=', projectId)
    .where('revoking_at', 'is', null)
    .forShare()
    .executeTakeFirst();
}

/** 422 at `project_id`. */
export function noLiveProject(projectId: string): ProblemError {
  return invalidField('project_id', `There is no live project ${projectId} in this team.`);
}
