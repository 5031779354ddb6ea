import { createRandom } from '../seeded-random.ts';

/** What stands behind one proxy each. */
export const links = ['api-postgres', 'api-redis', 'runner-redis', 'runner-api', 'runner-vm'] as const;
export type Link = (typeof links)[number];

/** Something that goes wrong; times in milliseconds. */
export type Fault =
  | { kind: 'kill_api'; backAfter: number }
  /** `busy`: once it has builds that can be taken over, if it comes to that soon. */
  | { kind: 'kill_runner'; runner: number; backAfter: number; busy: boolean }
  /** Asked to stop, so that it hands its builds over, and followed by another one. */
  | { kind: 'replace_runner'; runner: number; busy: boolean }
  | { kind: 'freeze_runner'; runner: number; lasts: number }
  | { kind: 'kill_redis'; backAfter: number; forgets: boolean }
  | { kind: 'kill_postgres'; backAfter: number }
  /** Of the VMs that run by then, the one at this part of their row, from 0 to 1. */
  | { kind: 'kill_vm'; vm: number }
  | { kind: 'cut'; link: Link }
  | { kind: 'delay'; link: Link }
  /** Of the builds that are accepted by then, the one at this part of their row. */
  | { kind: 'cancel'; build: number };

/** All that happens, in its order; `at` in milliseconds from the start. */
export interface Plan {
  faults: { at: number; fault: Fault }[];
  /** `project` counts from 0. */
  builds: { at: number; project: number }[];
  lastsMs: number;
}

const longestRestartMs = 3_000;
// Longer than a lease, and than a stand-in for a VM lives without heartbeat.
const longestFreezeMs = 60_000;

/**
 * Pure: a seed gives the same plan for ever. Builds come one by one and in bursts. First a runner is killed and another one
 * replaced while they build, without which a run would be worth little.
 */
export function makePlan(options: {
  seed: number;
  builds: number;
  projects: number;
  runners: number;
  lastsMs: number;
}): Plan {
  const random = createRandom(options.seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const oneOf = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const backAfter = () => below(longestRestartMs);
  const runner = () => below(options.runners);
  const busy = () => random() < 0.5;
  const killRunner = (): Fault => ({
    ...{ kind: 'kill_runner', runner: runner(), backAfter: backAfter(), busy: busy() },
  });
  const replaceRunner = (): Fault => ({ kind: 'replace_runner', runner: runner(), busy: busy() });
  const freezeRunner = (): Fault => ({
    kind: 'freeze_runner',
    runner: runner(),
    // Of a short plan it is a part, too.
    lasts: below(Math.min(longestFreezeMs, 0.7 * options.lastsMs)),
  });
  // There are several runners, so that each of them is met as often as another part.
  const makers: (() => Fault)[] = [
    ...[killRunner, killRunner, replaceRunner, replaceRunner, freezeRunner],
    () => ({ kind: 'kill_api', backAfter: backAfter() }),
    () => ({ kind: 'kill_redis', backAfter: backAfter(), forgets: random() < 0.25 }),
    () => ({ kind: 'kill_postgres', backAfter: backAfter() }),
    () => ({ kind: 'kill_vm', vm: random() }),
    () => ({ kind: 'cut', link: oneOf(links) }),
    () => ({ kind: 'delay', link: oneOf(links) }),
    () => ({ kind: 'cancel', build: random() }),
  ];
  const plan: Plan = { faults: [], builds: [], lastsMs: options.lastsMs };
  const order = (at: number, count: number) => {
    for (let made = 0; made < count && plan.builds.length < options.builds; made += 1)
      plan.builds.push({ at, project: below(options.projects) });
  };
  const burst = Math.ceil(options.builds / 15);
  order(0, 3 * burst);
  const first: Fault[] = [
    { kind: 'kill_runner', runner: 0, backAfter: backAfter(), busy: true },
    { kind: 'replace_runner', runner: 1, busy: true },
  ];
  plan.faults.push(...first.map((fault) => ({ at: 0, fault })));
  for (let at = 3_000; at < options.lastsMs; at += 500 + below(2_500)) {
    if (random() < 1 / (makers.length + 1)) order(at, burst);
    else plan.faults.push({ at, fault: oneOf(makers)() });
  }
  while (plan.builds.length < options.builds) order(below(options.lastsMs), 1);
  plan.builds.sort((a, b) => a.at - b.at);
  return plan;
}
