import type { Place } from '../../queue/build-queue.ts';
import type { ApiContext } from '../context.ts';
import type { BuildRow } from './state-machine.ts';

interface Team {
  name: string;
  paused_by_operator: string | null;
  paused_by_team: string | null;
}

/** A sentence for people: the place of a queued build in line, and what it waits for. Undefined when the queue has no word of it. */
export async function waitingReason(context: ApiContext, build: BuildRow): Promise<string | undefined> {
  const place = await context.queue.place(build.id).catch(() => undefined);
  if (!place) return undefined;
  return inWords(place, place.waitsFor.startsWith('team') ? await teamOf(context, build) : undefined);
}

async function teamOf({ database }: ApiContext, { team_id }: BuildRow): Promise<Team> {
  return await database
    .selectFrom('team')
    .select(['name', 'paused_by_operator', 'paused_by_team'])
    .where('id', '=', team_id)
    .executeTakeFirstOrThrow();
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
