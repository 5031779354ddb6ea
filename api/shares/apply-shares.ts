import type { TeamShare } from '../../queue/build-queue.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { type ShareRow, selectShares } from './share-store.ts';

/** Of each team, and under `fleet`, the version of its share that the queue was told. */
export type SharesTold = Map<string, number>;

const atATime = 1_000;

/**
 * Tells Redis what PostgreSQL says of teams and fleet, where that is not in `told`; an empty one has it told all that was ever
 * set, as after a loss of Redis. Before builds are enqueued, so that none of a paused team is started in between.
 */
export async function applyShares({ database, queue }: ApiContext, told: SharesTold): Promise<void> {
  const fleet = await readFleetShare(database);
  if (told.get('fleet') !== fleet.version) await queue.setFleet(fleet);
  told.set('fleet', fleet.version);
  const versions = await database
    .selectFrom('team')
    .select(['id', 'share_version'])
    .where('share_version', '>', 0)
    .execute();
  const changed = versions.filter(({ id, share_version }) => told.get(id) !== share_version);
  for (let from = 0; from < changed.length; from += atATime) {
    const ids = changed.slice(from, from + atATime).map(({ id }) => id);
    const teams = await selectShares(database).where('id', 'in', ids).execute();
    await Promise.all(teams.map((team) => queue.setTeam(team.id, inQueue(team))));
    for (const { id, share_version } of teams) told.set(id, share_version);
  }
}

/** The same for one team, at once; where Redis is away the sweeper does it. */
export async function applyTeamShare(context: ApiContext, teamId: string): Promise<void> {
  await atOnce(context, async () => {
    // As it is by now: of two changes at once the later one counts.
    const team = await selectShares(context.database).where('id', '=', teamId).executeTakeFirst();
    if (team) await context.queue.setTeam(teamId, inQueue(team));
  });
}

/** The same for the fleet. */
export async function applyFleetAtOnce(context: ApiContext): Promise<void> {
  await atOnce(context, async () => context.queue.setFleet(await readFleetShare(context.database)));
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
}: ShareRow): TeamShare {
  const paused = why.paused_by_operator !== null || why.paused_by_team !== null;
  const limit = Math.min(build_limit ?? Infinity, limit_by_team ?? Infinity);
  return { weight, paused, version, ...(Number.isFinite(limit) && { limit }) };
}
