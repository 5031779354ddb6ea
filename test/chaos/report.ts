import type { Database } from '../../api/db/database.ts';
import type { Inflicted } from './cause-chaos.ts';
import { readHistory, type Transition } from './history.ts';
import { isTakeover } from './judge-past.ts';
import type { Plan } from './plan.ts';
import type { Fate, Runners } from './runners.ts';

/** What a run was worth. */
export interface ChaosReport {
  /** Of each kind of fault how many came to pass, of how many that were planned. */
  faults: Record<string, string>;
  /** How often builds went to another runner in the middle of an attempt, by what was done to the one before. */
  takeovers: Record<string, number>;
  /** Of the builds that went so, how many ended how. */
  takenOverEnded: Record<string, number>;
  /** How many builds ended at which attempt. */
  attempts: Record<string, number>;
  states: Record<string, number>;
  /** Why attempts were lost that were followed by another one. */
  losses: Record<string, number>;
  errored: Record<string, number>;
}

const words: Record<Fate, string> = {
  killed: 'of a killed runner',
  insisted: 'of a runner that was killed at its end',
  replaced: 'handed over',
  frozen: 'of a frozen runner',
};

export async function reportOn(
  database: Database,
  { plan, inflicted, fates }: { plan: Plan; inflicted: Inflicted[]; fates: Runners['fates'] },
): Promise<ChaosReport> {
  const history = await readHistory(database);
  const rows = await database
    .selectFrom('build')
    .select(['id', 'state', 'attempt', 'reason', 'losses'])
    .orderBy('attempt')
    .execute();
  const takeovers = new Map([...history].map(([id, past]) => [id, takenFrom(past)]));
  const planned = Map.groupBy(plan.faults, ({ fault }) => fault.kind);
  const passed = Map.groupBy(inflicted, ({ fault }) => fault.kind);
  return {
    faults: Object.fromEntries(
      [...planned]
        .map(([kind, all]) => [kind, `${passed.get(kind)?.length ?? 0} of ${all.length}`] as const)
        .sort(),
    ),
    takeovers: count([...takeovers.values()].flat(), (holder) => {
      const fate = fates.get(holder.split('/')[0] ?? '')?.at(-1);
      return fate ? words[fate] : 'of a runner that was cut off';
    }),
    takenOverEnded: count(
      rows.filter(({ id }) => (takeovers.get(id) ?? []).length > 0),
      ({ state }) => state,
    ),
    attempts: count(rows, ({ attempt }) => `at ${attempt}`),
    states: count(rows, ({ state }) => state),
    losses: count(
      rows.flatMap(({ losses }) => losses),
      (reason) => reason,
    ),
    errored: count(
      rows.filter(({ state }) => state === 'errored'),
      ({ reason }) => reason ?? '',
    ),
  };
}

/** The holders that a build was taken over from, in their order. */
function takenFrom(past: Transition[]): string[] {
  return past.flatMap((step, index) => {
    const before = past[index - 1];
    return before?.holder && isTakeover(before, step) ? [before.holder] : [];
  });
}

function count<T>(all: T[], of: (one: T) => string): Record<string, number> {
  // Ids would make each of them another one.
  const named = Map.groupBy(all, (one) => of(one).replace(/\bvm_\w+/g, 'vm'));
  return Object.fromEntries([...named].map(([name, found]) => [name, found.length]));
}
