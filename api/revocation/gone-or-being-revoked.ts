import type { Database } from '../db/database.ts';
import { conflict, notFound, type ProblemError } from '../http/problem-error.ts';

const called = { deploy_key: 'deploy key', hook_binding: 'hook binding' };

/**
 * Why a team has no such deploy key or hook to work with: 404 when there is none. 409 while its project is being revoked,
 * with what holds that up: it may still be at the source host, and Terraform takes a 404 for gone.
 */
export async function goneOrBeingRevoked(
  database: Database,
  table: keyof typeof called,
  { id, teamId }: { id: string; teamId: string },
): Promise<ProblemError> {
  const open = await database
    .selectFrom(table)
    .innerJoin('project', 'project.id', `${table}.project_id`)
    .innerJoin('revocation', 'revocation.subject', 'project.id')
    .select(['revocation.id', 'revocation.obstacle'])
    .where(`${table}.id`, '=', id)
    .where('project.team_id', '=', teamId)
    .where('revocation.finished_at', 'is', null)
    .executeTakeFirst();
  if (!open) return notFound(called[table], id);
  const detail = `The project of the ${called[table]} ${id} is being revoked, and it may still be at the source host. ${open.obstacle?.detail ?? `GET /v1/revocations/${open.id} tells how far it is.`}`;
  return conflict('project_revoked', detail);
}
