import type { Place } from '../../queue/build-queue.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import type { BuildRow } from './state-machine.ts';

interface Team {
  name: string;
  paused_by_operator: string | null;
  paused_by_team: string | null;
}

/**
 * Of each of at most 200 queued builds a sentence for people: its place in line, and what it waits for. Undefined where the
 * queue has no word of it. Asks the queue once, and the database at most once.
 */
export async function waitingReasons(
  { queue, database }: Pick<ApiContext, 'queue' | 'database'>,
  builds: Pick<BuildRow, 'id' | 'team_id'>[],
): Promise<(string | undefined)[]> {
  const places = await queue.places(builds.map(({ id }) => id)).catch(() => []);
  const ofTeams = builds.filter((_build, index) => places[index]?.waitsFor.startsWith('team'));
  const teams = await teamsOf(database, new Set(ofTeams.map(({ team_id }) => team_id)));
  return builds.map(({ team_id }, index) => {
    const place = places[index];
    return place && inWords(place, teams.get(team_id));
  });
}

async function teamsOf(database: Database, ids: Set<string>): Promise<Map<string, Team>> {
  if (ids.size === 0) return new Map();
  const rows = await database
    .selectFrom('team')
    .select(['id', 'name', 'paused_by_operator', 'paused_by_team'])
    .where('id', 'in', [...ids])
    .execute();
  return new Map(rows.map((row) => [row.id, row]));
}

/** Pure. */
export function inWords({ place, waitsFor, limit, heldBack }: Place, team?: Team): string {
  const line = place === 1 ? 'next in line' : `${ordinal(place)} in line`;
  if (waitsFor === 'turn' && heldBack)
    return `Waiting for a runner: ${line}; VMs do not start at a runner, which takes no builds until one does.`;
  if (waitsFor === 'turn') return `Waiting for a runner: ${line}.`;
  return `Waiting: ${line}; ${reasons[waitsFor](limit, team)}`;
}

const reasons: Record<Exclude<Place['waitsFor'], 'turn'>, (limit?: number, team?: Team) => string> = {
  project_limit: (limit) => `the project at its concurrency of ${limit}.`,
  team_limit: (limit, team) => `team ${team?.name} at its limit of ${builds(limit)}.`,
  team_paused: (_limit, team) => pausedBy(team),
  fleet_limit: (limit) => `all of Ebb at its limit of ${builds(limit)}.`,
  drained: () => 'Ebb starts no builds for the moment, because it is being updated.',
};

/** The operator's word first: with it alone the team cannot go on. */
function pausedBy(team?: Team): string {
  if (team?.paused_by_operator) return `paused by the operator: ${team.paused_by_operator}`;
  if (team?.paused_by_team) return `paused by the team: ${team.paused_by_team}`;
  return 'the team was resumed just now.';
}

function builds(limit = 1): string {
  return limit === 1 ? '1 build' : `${limit} builds`;
}

const suffixes: Partial<Record<Intl.LDMLPluralRule, string>> = { one: 'st', two: 'nd', few: 'rd' };
const english = new Intl.PluralRules('en', { type: 'ordinal' });

function ordinal(number: number): string {
  return `${number}${suffixes[english.select(number)] ?? 'th'}`;
}
