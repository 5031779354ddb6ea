import type { Selectable } from 'kysely';
import type { Team } from '../../contract/team.ts';
import { changedFields } from '../audit/changed-fields.ts';
import { recordAudit } from '../audit/record-audit.ts';
import { lockPrincipal } from '../auth/lock-principal.ts';
import type { Principal } from '../auth/principal.ts';
import { requireHolds } from '../auth/require-scope.ts';
import type { ApiContext } from '../context.ts';
import type { Schema } from '../db/schema.ts';
import { transact } from '../db/transact.ts';
import { invalidField } from '../http/problem-error.ts';
import { applyTeamShare } from '../shares/apply-shares.ts';
import { nextShareVersion } from '../shares/share-store.ts';

export type TeamRow = Selectable<Schema['team']>;

export function toTeam({ id, created_at, name, ...row }: TeamRow): Team {
  const { paused_by_team, limit_by_team, deletion_protection } = row;
  return {
    ...{ id, created_at: created_at.toISOString(), name },
    ...(paused_by_team !== null && { paused_by_team }),
    ...(limit_by_team !== null && { limit_by_team }),
    deletion_protection,
  };
}

/**
 * Changes what a team says of itself, in one transaction with its audit entry, and tells the queue; what `change` leaves as it is
 * stays as somebody else may have set it meanwhile. Throws 422 for another name, and 403 for an end of the protection by who could
 * not revoke the team.
 */
export async function changeTeam(
  context: ApiContext,
  principal: Principal,
  change: (before: Team) => Team,
): Promise<void> {
  const { teamId, keyId: actor } = principal;
  const isChanged = await transact(context, async (inside) => {
    const row = await inside.database
      .selectFrom('team')
      .selectAll()
      .where('id', '=', teamId)
      .forNoKeyUpdate()
      .executeTakeFirstOrThrow();
    const before = toTeam(row);
    const after = change(before);
    if (after.name !== before.name) throw otherName(before.name, after.name);
    if (before.deletion_protection && !after.deletion_protection)
      requireHolds(await lockPrincipal(inside, principal), 'team:revoke');
    const changed = changedFields(before, after);
    if (changed.length === 0) return false;
    const { paused_by_team = null, limit_by_team = null, deletion_protection = true } = after;
    const detail = Object.fromEntries(
      Object.entries({ paused_by_team, limit_by_team, deletion_protection }).filter(([name]) =>
        changed.some((one) => one === name),
      ),
    );
    await inside.database
      .updateTable('team')
      .set({ ...detail, share_version: nextShareVersion })
      .where('id', '=', teamId)
      .execute();
    await recordAudit(inside, { teamId, action: 'team.changed', actor, subject: teamId, detail });
    return true;
  });
  if (isChanged) await applyTeamShare(context, teamId);
}

function otherName(name: string, wanted: string) {
  const detail = `name is ${wanted}, but the team is ${name} and keeps its name. Write ${name}, or use a key of the team ${wanted}.`;
  return invalidField('name', detail);
}
