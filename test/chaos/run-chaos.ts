import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { causeChaos, type VmsAtRisk } from './cause-chaos.ts';
import type { Commands } from './commands.ts';
import { createBuild } from './create-builds.ts';
import { keepHistory, readHistory } from './history.ts';
import { brokenPromises } from './invariants.ts';
import { makePlan } from './plan.ts';
import { type ChaosReport, reportOn } from './report.ts';
import { settle } from './settle.ts';
import { declareTeams } from './teams.ts';
import type { World } from './world.ts';

/** VMs of a kind, with what is known of them from outside. */
export interface VmsUnderTest extends VmsAtRisk {
  /** How many fresh ones all runners together keep waiting at most. */
  idle: number;
  census(): Promise<{ running: string[]; ownerless: string[] }>;
}

const lastRoundMs = 120_000;

/**
 * Declares teams, has all parts killed and cut off while builds come in, waits until all is quiet, and judges what is
 * left. Throws an AssertionError with each promise that was broken; gives what happened.
 *
 * @param options.ledger file with a line for each deployment
 * @param options.patienceMs from the end of the chaos until all builds must be over
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
    pace: number;
  },
): Promise<ChaosReport> {
  const { seed, builds, ledger, lastsMs, patienceMs, pace } = options;
  const { api, database, runners } = world;
  await keepHistory(database);
  const projects = await declareTeams({ ...options, api, database });
  const plan = makePlan({ seed, builds, lastsMs, projects: projects.length, runners: runners.count });
  console.log(`chaos of the seed ${seed} begins: ${plan.faults.length} faults, ${builds} builds`);
  const signal = AbortSignal.timeout(pace * lastsMs + 2 * patienceMs);
  const from = performance.now();
  const { accepted, inflicted } = await causeChaos(world, vms, projects, plan, pace, signal).catch(
    (error) => {
      // At once: what is left takes its time to end.
      console.error(error);
      throw error;
    },
  );
  const chaosMs = Math.round(performance.now() - from);
  const { open, buildsMs, cleanMs } = await settle(world, vms, patienceMs);
  // Stays with the logs.
  const history = Object.fromEntries(await readHistory(database));
  await writeFile(join(world.folder, 'history.json'), JSON.stringify({ inflicted, history }));
  const report = await reportOn(database, { plan, inflicted, fates: runners.fates });
  const ms = { chaos: chaosMs, untilBuildsWereOver: buildsMs, untilAllWasClean: cleanMs };
  console.log(JSON.stringify({ seed, builds, pace, ms, ...report }, undefined, 2));
  assert.deepEqual(open, [], 'not all settled');
  // A place in a project that a lost build still held would show here.
  const narrow = projects.filter(({ concurrency }) => concurrency === 1);
  const last = await Promise.all(narrow.map((project) => createBuild(api.url, project, signal)));
  accepted.push(...last);
  assert.deepEqual(
    (await settle(world, vms, lastRoundMs)).open,
    [],
    'what came after all was over did not end',
  );
  assert.deepEqual(await brokenPromises(database, { accepted, inflicted, ledger }), []);
  assert.equal(accepted.length, builds + last.length);
  assert.deepEqual([api.crashes(), runners.crashes], [0, []], 'a process ended by itself');
  await runners.stop();
  assert.deepEqual((await vms.census()).running, [], 'a VM is left');
  return report;
}
