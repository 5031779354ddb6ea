import assert from 'node:assert/strict';
import { causeChaos, type VmNetwork } from './cause-chaos.ts';
import type { Commands } from './commands.ts';
import { keepHistory } from './history.ts';
import { brokenPromises, summary } from './invariants.ts';
import { makePlan } from './plan.ts';
import { settle } from './settle.ts';
import { declareTeams } from './teams.ts';
import type { World } from './world.ts';

/** VMs of a kind, with what is known of them from outside. */
export interface VmsUnderTest extends VmNetwork {
  census(): Promise<{ running: string[]; ownerless: string[] }>;
}

/**
 * Declares teams, has all parts killed and cut off while builds come in, waits until all is quiet, and judges what is
 * left. Throws an AssertionError with each promise that was broken.
 *
 * @param options.ledger file with a line for each deployment
 * @param options.patienceMs from the end of the chaos until all must have settled
 */
export async function runChaos(
  world: World,
  vms: VmsUnderTest,
  options: {
    seed: number;
    builds: number;
    teams: number;
    projectsOfTeam: number;
    commands: Commands;
    ledger: string;
    lastsMs: number;
    patienceMs: number;
  },
): Promise<void> {
  const { seed, builds, lastsMs, patienceMs } = options;
  const { api, database, runners } = world;
  await keepHistory(database);
  const projects = await declareTeams({ ...options, api, database });
  const plan = makePlan({ seed, builds, lastsMs, projects: projects.length, runners: runners.count });
  console.log(`chaos of the seed ${seed} begins: ${plan.faults.length} faults, ${builds} builds`);
  const signal = AbortSignal.timeout(lastsMs + patienceMs);
  const accepted = await causeChaos(world, vms, projects, plan, signal).catch((error) => {
    // At once: what is left takes its time to end.
    console.error(error);
    throw error;
  });
  console.log('chaos is over');
  const open = await settle(world, async () => (await vms.census()).ownerless, patienceMs);
  console.log(await summary(database));
  assert.deepEqual(open, [], 'not all settled');
  assert.deepEqual(await brokenPromises(database, accepted, options.ledger), []);
  assert.equal(accepted.length, builds);
  assert.deepEqual([api.crashes(), runners.crashes], [0, []], 'a process ended by itself');
  await runners.stop();
  assert.deepEqual((await vms.census()).running, [], 'a VM is left');
}
