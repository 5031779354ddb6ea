import type { Fleet, FleetChange, TeamShareChange } from '../../contract/share.ts';
import { changedFields } from '../audit/changed-fields.ts';
import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { transact } from '../db/transact.ts';
import { applyFleetAtOnce, applyTeamShare } from './apply-shares.ts';
import { nextShareVersion, readFleet, type ShareRow, selectShares } from './share-store.ts';

type Columns = Partial<Omit<ShareRow, 'id' | 'share_version'>>;

/** Changes what a team gets, as who operates Ebb says; the team's audit trail tells it. */
export async function changeTeamShare(
  context: ApiContext,
  teamId: string,
  { limit, ...others }: TeamShareChange,
  actor: string,
): Promise<ShareRow> {
  const columns: Columns = { ...others, ...(limit === undefined ? {} : { build_limit: limit }) };
  return await change(context, { teamId, columns, action: 'team.share_changed', actor });
}

/** Pauses the builds of a team for a reason in its own words, or with null lets them go on as far as it is the team's to say. */
export async function pauseTeam(
  context: ApiContext,
  teamId: string,
  reason: string | null,
  actor: string,
): Promise<ShareRow> {
  const action = reason === null ? 'team.resumed' : 'team.paused';
  return await change(context, { teamId, columns: { paused_by_team: reason }, action, actor });
}

/** One transaction for change and entry; what is so already changes nothing and leaves none. */
async function change(
  context: ApiContext,
  { teamId, columns, action, actor }: { teamId: string; columns: Columns; action: string; actor: string },
): Promise<ShareRow> {
  const after = await transact(context, async (inside) => {
    const before = await selectShares(inside.database)
      .where('id', '=', teamId)
      .forNoKeyUpdate()
      .executeTakeFirstOrThrow();
    const wanted = { ...before, ...columns };
    const changed = changedFields(before, wanted);
    if (changed.length === 0) return before;
    await inside.database
      .updateTable('team')
      .set({ ...columns, share_version: nextShareVersion })
      .where('id', '=', teamId)
      .execute();
    const detail = Object.fromEntries(changed.map((name) => [name, wanted[name as keyof ShareRow]]));
    await recordAudit(inside, { teamId, action, actor, subject: teamId, detail });
    return wanted;
  });
  await applyTeamShare(context, teamId);
  return after;
}

/** Changes what there is for all teams; the operators' audit trail tells it. */
export async function changeFleet(
  context: ApiContext,
  change: FleetChange,
  { teamId, keyId: actor }: { teamId: string; keyId: string },
): Promise<Fleet> {
  const after = await transact(context, async (inside) => {
    await inside.database.selectFrom('fleet').selectAll().forUpdate().execute();
    const before = await readFleet(inside.database);
    const wanted = { ...before, ...change };
    if (changedFields(before, wanted).length === 0) return before;
    const { limit, drained } = wanted;
    await inside.database
      .updateTable('fleet')
      .set({ build_limit: limit, drained, share_version: nextShareVersion })
      .execute();
    const subject = 'fleet';
    await recordAudit(inside, { teamId, action: 'fleet.changed', actor, subject, detail: { ...wanted } });
    return wanted;
  });
  await applyFleetAtOnce(context);
  return after;
}
