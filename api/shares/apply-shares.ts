import type { TeamShare } from '../../queue/build-queue.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { type ShareRow, selectShares } from './share-store.ts';

/** Of each team, and under `fleet`, the version of its share that the queue was told. */
export type SharesTold = Map<string, number>;

const ofFleet = 'fleet';
const atATime = 1_000;

/**
 * Tells Redis what PostgreSQL says of teams, where that is not in `told`; an empty one has it told all, as after a loss of
 * Redis. Before builds are enqueued, so that none of a paused team is started in between.
 */
export async function applyTeamShares(context: ApiContext, told: SharesTold): Promise<void> {
  const changed = await changedTeams(context.database, told);
  for (let from = 0; from < changed.length; from += atATime) {
    const ids = changed.slice(from, from + atATime);
    const teams = await selectShares(context.database).where('id', 'in', ids).execute();
    for (const id of ids) told.delete(id);
    await Promise.all(
      teams.map(async (team) => {
        const version = await tellTeam(context, team);
        if (version) told.set(team.id, version);
      }),
    );
  }
}

/** Teams of which Redis was told another version than there is; of a database that was put back that may be none. */
async function changedTeams(database: Database, told: SharesTold): Promise<string[]> {
  const rows = await database
    .selectFrom('team')
    .select(['id', 'share_version'])
    .where('revoked_at', 'is', null)
    .$if(told.size > 0, (query) => query.where('share_version', '>', 0))
    .execute();
  const versions = new Map(rows.map(({ id, share_version }) => [id, share_version]));
  const ids = new Set([...versions.keys(), ...told.keys()].filter((id) => id !== ofFleet));
  return [...ids].filter((id) => told.get(id) !== versions.get(id));
}

/** The same of the fleet. Until a Redis that lost everything is told this it gives no build that waits. */
export async function applyFleetShare(context: ApiContext, told: SharesTold): Promise<void> {
  const fleet = await readFleetShare(context.database);
  if (told.get(ofFleet) === fleet.version) return;
  const version = await tellFleet(context, fleet);
  if (version !== undefined) told.set(ofFleet, version);
}

/** Tells one team's share at once; where Redis is away the sweeper does it. */
export async function applyTeamShare(context: ApiContext, teamId: string): Promise<void> {
  await atOnce(context, async () => {
    // As it is by now: of two changes at once the later one counts.
    const team = await selectShares(context.database).where('id', '=', teamId).executeTakeFirst();
    if (team) await tellTeam(context, team);
  });
}

/** The same for the fleet. */
export async function applyFleetAtOnce(context: ApiContext): Promise<void> {
  await atOnce(context, async () => void (await tellFleet(context, await readFleetShare(context.database))));
}

async function tellTeam({ database, queue }: ApiContext, team: ShareRow): Promise<number | undefined> {
  return await tell(inQueue(team), {
    set: async (share) => await queue.setTeam(team.id, share),
    async readAgain() {
      const again = await selectShares(database).where('id', '=', team.id).executeTakeFirst();
      return again && inQueue(again);
    },
  });
}

async function tellFleet(
  { database, queue }: ApiContext,
  fleet: Awaited<ReturnType<typeof readFleetShare>>,
): Promise<number | undefined> {
  return await tell(fleet, {
    set: async (share) => await queue.setFleet(share),
    readAgain: async () => await readFleetShare(database),
  });
}

/**
 * Gives the version that Redis was told; undefined when it knows a later one. Where that is not in PostgreSQL either, because
 * it was put back to an earlier time, what PostgreSQL says counts.
 */
async function tell<Share extends { version: number }>(
  share: Share,
  how: {
    set(share: Share & { anyway?: boolean }): Promise<boolean>;
    readAgain(): Promise<Share | undefined>;
  },
): Promise<number | undefined> {
  if (await how.set(share)) return share.version;
  // Who told the later version did so after it was in PostgreSQL.
  const again = await how.readAgain();
  if (!again) return undefined;
  const told = await how.set({ ...again, anyway: again.version === share.version });
  return told ? again.version : undefined;
}

async function readFleetShare(database: Database) {
  const row = await database.selectFrom('fleet').selectAll().executeTakeFirstOrThrow();
  const { build_limit: limit, drained, share_version: version } = row;
  return { drained, version, ...(limit === null ? {} : { limit }) };
}

async function atOnce({ log }: ApiContext, apply: () => Promise<void>): Promise<void> {
  await apply().catch((error) => {
    log.warn(
      { error: String(error) },
      'the queue does not know of changed shares yet; the sweeper will tell it',
    );
  });
}

function inQueue({
  weight,
  build_limit,
  limit_by_team,
  share_version: version,
  ...why
}: ShareRow): TeamShare & { version: number } {
  const paused = why.paused_by_operator !== null || why.paused_by_team !== null;
  const limit = Math.min(build_limit ?? Infinity, limit_by_team ?? Infinity);
  return { weight, paused, version, ...(Number.isFinite(limit) && { limit }) };
}
