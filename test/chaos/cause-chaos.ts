import { setTimeout as sleep } from 'node:timers/promises';
import { type Accepted, cancelBuild, createBuild } from './create-builds.ts';
import type { Fault, Link, Plan } from './plan.ts';
import type { ProjectUnderTest } from './teams.ts';
import type { World } from './world.ts';

const delayMs = 2_000;
const delayLastsMs = 5_000;

/** The network to the VMs. */
export interface VmNetwork {
  cut(): Promise<void> | void;
  delay(milliseconds: number): Promise<void> | void;
}

/** Does all that is planned; resolves with what was accepted, when everything that was killed is up again. */
export async function causeChaos(
  world: World,
  vms: VmNetwork,
  projects: ProjectUnderTest[],
  plan: Plan,
  signal: AbortSignal,
): Promise<Accepted[]> {
  const accepted: Accepted[] = [];
  const start = performance.now();
  const at = (moment: number) => sleep(Math.max(0, moment - (performance.now() - start)));
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
    if (fault.kind === 'cancel') return await cancel(fault.build);
    await oneAtATime(victimOf(fault), () => inflict(world, vms, fault));
  });
  await Promise.all([...creations, ...faults]);
  return accepted;
}

/** Nothing is done to what is away, or has something done to it, already. */
function createOneAtATime() {
  const underWay = new Set<string>();
  return async (victim: string, work: () => Promise<void>): Promise<void> => {
    if (underWay.has(victim)) return;
    underWay.add(victim);
    await work().finally(() => underWay.delete(victim));
  };
}

function victimOf(fault: Fault): string {
  if ('runner' in fault) return `runner ${fault.runner}`;
  if ('link' in fault) return fault.link;
  return fault.kind;
}

async function inflict(world: World, vms: VmNetwork, fault: Fault): Promise<void> {
  const linkOf = (link: Link) => (link === 'runner-vm' ? vms : world.network[link]);
  switch (fault.kind) {
    case 'kill_api':
      return await world.api.killAndRestart(fault.backAfter);
    case 'kill_runner':
      return await world.runners.killAndRestart(fault.runner, fault.backAfter);
    case 'freeze_runner':
      return await world.runners.freeze(fault.runner, fault.lasts);
    case 'kill_redis':
      return await world.redis.killAndRestart(fault.forgets, () => sleep(fault.backAfter));
    case 'kill_postgres':
      return await world.postgres.killAndRestart(() => sleep(fault.backAfter));
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
