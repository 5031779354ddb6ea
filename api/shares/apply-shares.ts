import type { BuildQueue, TeamShare } from '../../queue/build-queue.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { type ShareRow, selectShares } from './share-store.ts';

/**
 * Tells Redis what PostgreSQL says of teams and fleet, as after a loss of Redis: of teams that have builds under way or
 * were set anything. Before builds are enqueued, so that none of a paused team is started in between.
 */
export async function applyShares({ database, queue }: ApiContext): Promise<void> {
  await applyFleet(database, queue);
  const teams = await selectShares(database)
    .where(({ or, eb, exists, selectFrom }) =>
      or([
        eb('weight', '<>', 1),
        eb('build_limit', 'is not', null),
        eb('limit_by_team', 'is not', null),
        eb('paused_by_operator', 'is not', null),
        eb('paused_by_team', 'is not', null),
        exists(
          selectFrom('build')
            .select('build.id')
            .whereRef('build.team_id', '=', 'team.id')
            .where('build.finished_at', 'is', null),
        ),
      ]),
    )
    .execute();
  await Promise.all(teams.map((team) => queue.setTeam(team.id, inQueue(team))));
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
  await atOnce(context, () => applyFleet(context.database, context.queue));
}

async function applyFleet(database: Database, queue: BuildQueue): Promise<void> {
  const { build_limit: limit, drained } = await database
    .selectFrom('fleet')
    .selectAll()
    .executeTakeFirstOrThrow();
  await queue.setFleet({ drained, ...(limit === null ? {} : { limit }) });
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
  paused_by_operator,
  paused_by_team,
}: ShareRow): TeamShare {
  const paused = paused_by_operator !== null || paused_by_team !== null;
  const limit = Math.min(build_limit ?? Infinity, limit_by_team ?? Infinity);
  return { weight, paused, ...(Number.isFinite(limit) && { limit }) };
}
