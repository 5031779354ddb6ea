import { setTimeout as sleep } from 'node:timers/promises';
import { type Accepted, cancelBuild, createBuild } from './create-builds.ts';
import type { Fault, Link, Plan } from './plan.ts';
import type { ProjectUnderTest } from './teams.ts';
import type { World } from './world.ts';

const delayMs = 2_000;
const delayLastsMs = 5_000;
const busyWithinMs = 30_000;
// The queue knows it by then, too.
const sharingMs = 200;
// On a machine that starts things slowly a run would be nothing but restarts: what is up again is left alone for as long as
// it was away, and what the API needs to start is there while it starts for longer than this.
const restMs = 3_000;
const startsWithinMs = 5_000;

/** The VMs and the network to them. */
export interface VmsAtRisk {
  /** Cuts the power of the VM at this part of their row, from 0 to 1. */
  kill(part: number): Promise<void>;
  cut(): Promise<void> | void;
  delay(milliseconds: number): Promise<void> | void;
}

/** A fault that came to pass; times since the epoch in milliseconds. */
export interface Inflicted {
  fault: Fault;
  from: number;
  to: number;
}

/**
 * Does all that is planned; resolves with what was accepted and what went wrong, when everything that was killed is up
 * again.
 *
 * @param pace how many times as long as planned it is from one thing to the next
 */
export async function causeChaos(
  world: World,
  vms: VmsAtRisk,
  projects: ProjectUnderTest[],
  plan: Plan,
  pace: number,
  signal: AbortSignal,
): Promise<{ accepted: Accepted[]; inflicted: Inflicted[] }> {
  const accepted: Accepted[] = [];
  const inflicted: Inflicted[] = [];
  const start = performance.now();
  const at = (moment: number) => sleep(Math.max(0, moment * pace - (performance.now() - start)));
  const oneAtATime = createOneAtATime();
  const creations = plan.builds.map(async ({ at: moment, project }) => {
    await at(moment);
    accepted.push(await createBuild(world.api.url, projects[project] as ProjectUnderTest, signal));
  });
  const cancel = async (part: number) => {
    const build = accepted[Math.floor(part * accepted.length)];
    if (build) await cancelBuild(world.api.url, build, signal);
  };
  const faults = plan.faults.map(async ({ at: moment, fault }) => {
    await at(moment);
    const from = Date.now();
    if (fault.kind === 'cancel') await cancel(fault.build);
    else if (isNeeded(world, fault) || !(await oneAtATime(victimOf(fault), () => inflict(world, vms, fault))))
      return;
    inflicted.push({ fault, from, to: Date.now() });
  });
  await Promise.all([...creations, ...faults]);
  return { accepted, inflicted };
}

/** Nothing is done to what is away, or came back just now, or has something done to it; gives whether it was done. */
function createOneAtATime() {
  const underWay = new Set<string>();
  return async (victim: string, work: () => Promise<void>): Promise<boolean> => {
    if (underWay.has(victim)) return false;
    underWay.add(victim);
    const from = performance.now();
    await work();
    setTimeout(() => underWay.delete(victim), Math.max(restMs, performance.now() - from)).unref();
    return true;
  };
}

function isNeeded({ api }: World, { kind }: Fault): boolean {
  return (kind === 'kill_postgres' || kind === 'kill_redis') && api.awayMs() > startsWithinMs;
}

function victimOf(fault: Fault): string {
  if ('runner' in fault) return `runner ${fault.runner}`;
  if ('link' in fault) return fault.link;
  return fault.kind;
}

async function inflict(world: World, vms: VmsAtRisk, fault: Fault): Promise<void> {
  const linkOf = (link: Link) => (link === 'runner-vm' ? vms : world.network[link]);
  switch (fault.kind) {
    case 'kill_api':
      return await world.api.killAndRestart(fault.backAfter);
    case 'kill_runner':
      if (fault.busy) await untilBusy(world, fault.runner);
      return await world.runners.killAndRestart(fault.runner, fault.backAfter);
    case 'replace_runner':
      if (fault.busy) await untilBusy(world, fault.runner);
      return await world.runners.replace(fault.runner);
    case 'freeze_runner':
      return await world.runners.freeze(fault.runner, fault.lasts);
    case 'kill_redis':
      return await world.redis.killAndRestart(fault.forgets, () => sleep(fault.backAfter));
    case 'kill_postgres':
      return await world.postgres.killAndRestart(() => sleep(fault.backAfter));
    case 'kill_vm':
      return await vms.kill(fault.vm);
    case 'cut':
      return await linkOf(fault.link).cut();
    case 'delay':
      await linkOf(fault.link).delay(delayMs);
      await sleep(delayLastsMs);
      return await linkOf(fault.link).delay(0);
    case 'cancel':
      throw new Error('A cancellation is no fault of a part.');
  }
}

/** Waits until the runner has a build that another one can go on with. */
async function untilBusy({ runners, database }: World, runner: number): Promise<void> {
  const isBusy = () =>
    database
      .selectFrom('build')
      .select('id')
      .where('state', '=', 'running')
      .where('vm_handle', 'is not', null)
      .where('lease_holder', 'like', `${runners.nameOf(runner)}/%`)
      .executeTakeFirst()
      // PostgreSQL may be away.
      .catch(() => undefined);
  const until = performance.now() + busyWithinMs;
  while (performance.now() < until && !(await isBusy())) await sleep(100);
  await sleep(sharingMs);
}
