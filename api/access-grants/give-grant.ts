import type { AccessGrant, accessGrant } from '../../contract/access-grant.ts';
import type { Creation } from '../../contract/resource.ts';
import { recordAudit } from '../audit/record-audit.ts';
import type { Principal } from '../auth/principal.ts';
import type { ApiContext } from '../context.ts';
import { type Database, json } from '../db/database.ts';
import { newId } from '../db/new-id.ts';
import { conflict, ProblemError } from '../http/problem-error.ts';
import { requireMailer } from '../mail/require-mailer.ts';
import { noLiveProject } from '../projects/lock-live-project.ts';
import { grantLasts, requireEnd } from './end-of-grant.ts';
import { findGrant, lockGrant, toGrant } from './store.ts';

/** Gives a grant. Throws 409 `mail_not_configured` where nobody could be told of its use, and 422. */
export async function giveGrant(
  context: ApiContext,
  { teamId, keyId }: Principal,
  body: Creation<typeof accessGrant>,
): Promise<AccessGrant> {
  const { project_id, reason, scope, notify } = body;
  requireMailer(context, 'nobody would be told of a use');
  const now = context.now();
  const id = newId('grant', now.getTime());
  const ends_at = requireEnd(body.ends_at, now, now);
  return await context.database.transaction().execute(async (transaction) => {
    if (project_id !== undefined) await requireLiveProject(transaction, teamId, project_id);
    await transaction
      .insertInto('access_grant')
      .values({
        ...{ id, team_id: teamId, project_id: project_id ?? null, reason },
        scope: json(scope),
        notify: json(notify),
        ...{ ends_at, created_at: now, created_by: keyId, ended_at: null, deleted_at: null },
      })
      .execute();
    const grant = await representation(transaction, teamId, id);
    await recordAudit(
      { ...context, database: transaction },
      {
        ...{ teamId, action: 'access_grant.given', actor: keyId, subject: id },
        detail: { project_id: project_id ?? null, reason, scope, notify, ends_at: grant.ends_at },
      },
    );
    return grant;
  });
}

/** Moves the end of a grant that lasts. Throws 409 `grant_ended`, 412 by `match`, and 422. */
export async function moveEnd(
  context: ApiContext,
  { teamId, keyId }: Principal,
  { id, endsAt, match }: { id: string; endsAt: string; match: (current: AccessGrant) => void },
): Promise<AccessGrant> {
  return await context.database.transaction().execute(async (transaction) => {
    const row = await lockGrant(transaction, id);
    const current = await representation(transaction, teamId, id);
    match(current);
    if (endsAt === current.ends_at) return current;
    const now = context.now();
    if (!row || !grantLasts(row, now))
      throw conflict(
        'grant_ended',
        'The grant has ended, and one that ended stays so. Give a new one.',
        'ends_at',
      );
    const ends_at = requireEnd(endsAt, row.created_at, now);
    await transaction.updateTable('access_grant').set({ ends_at }).where('id', '=', id).execute();
    await recordAudit(
      { ...context, database: transaction },
      {
        ...{ teamId, action: 'access_grant.changed', actor: keyId, subject: id },
        detail: { ends_at: endsAt, before: current.ends_at },
      },
    );
    return await representation(transaction, teamId, id);
  });
}

async function representation(database: Database, teamId: string, id: string): Promise<AccessGrant> {
  const row = await findGrant(database, teamId, id);
  if (!row) throw new ProblemError(404, 'not_found', `There is no access grant ${JSON.stringify(id)}.`);
  return toGrant(row);
}

async function requireLiveProject(database: Database, teamId: string, projectId: string): Promise<void> {
  const project = await database
    .selectFrom('project')
    .select('id')
    .where('id', '=', projectId)
    .where('team_id', '=', teamId)
    .where('revoking_at', 'is', null)
    .executeTakeFirst();
  if (!project) throw noLiveProject(projectId);
}
