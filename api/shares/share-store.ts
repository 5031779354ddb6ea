import { sql } from 'kysely';
import type { Fleet, OwnShare, TeamShare } from '../../contract/share.ts';
import type { Database } from '../db/database.ts';
import type { PageRequest } from '../http/page.ts';
import { operators } from '../teams/operators.ts';

export interface ShareRow {
  id: string;
  weight: number;
  build_limit: number | null;
  limit_by_team: number | null;
  paused_by_operator: string | null;
  paused_by_team: string | null;
  /** Counts the changes; 0 when nothing was ever set. */
  share_version: number;
}

/** What each change of a share sets `share_version` to. */
export const nextShareVersion = sql<number>`share_version + 1`;

/** Of teams that are not revoked and that may have builds. */
export function selectShares(database: Database) {
  return database
    .selectFrom('team')
    .select(['id', 'weight', 'build_limit', 'limit_by_team', 'paused_by_operator', 'paused_by_team'])
    .select('share_version')
    .where('name', '<>', operators)
    .where('revoked_at', 'is', null);
}

export async function listShares(database: Database, { limit, after }: PageRequest): Promise<ShareRow[]> {
  return await selectShares(database)
    .$if(after !== undefined, (query) => query.where('id', '>', after ?? ''))
    .orderBy('id')
    .limit(limit + 1)
    .execute();
}

/** By its id, or by its name, which who operates Ebb knows and this does not tell. */
export async function findShare(database: Database, idOrName: string): Promise<ShareRow | undefined> {
  return await selectShares(database)
    .where(({ or, eb }) => or([eb('id', '=', idOrName), eb('name', '=', idOrName)]))
    .executeTakeFirst();
}

/** What who operates Ebb may read of it: what a team wrote is the team's. */
export function toTeamShare({
  id,
  weight,
  build_limit,
  limit_by_team,
  paused_by_operator,
  paused_by_team,
}: ShareRow): TeamShare {
  return {
    ...{ id, weight, limit: build_limit, limit_by_team, paused_by_operator },
    paused_by_team: paused_by_team !== null,
  };
}

export function toOwnShare({ weight, build_limit, ...others }: ShareRow): OwnShare {
  const { limit_by_team, paused_by_operator, paused_by_team } = others;
  return { weight, limit: build_limit, limit_by_team, paused_by_operator, paused_by_team };
}

export async function readFleet(database: Database): Promise<Fleet> {
  const { build_limit: limit, drained } = await database
    .selectFrom('fleet')
    .selectAll()
    .executeTakeFirstOrThrow();
  return { limit, drained };
}
