import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isInMemory } from '../../cli/memory-folder.ts';
import { commandsOfVm } from './commands.ts';
import { startRealVms } from './real-vms.ts';
import { runChaos } from './run-chaos.ts';
import { openWorld } from './world.ts';

// VMs of QEMU take their time, so it is not among the quick tests.
const builds = Number(process.env.EBB_CHAOS_VM_BUILDS ?? 12);
const seed = Number(process.env.EBB_CHAOS_SEED ?? 1);
const pace = Number(process.env.EBB_CHAOS_PACE ?? 1);
const runners = 2;
// Where a VM of QEMU finds the machine that it runs on.
const host = '10.0.2.2';

test(`${builds} builds on VMs of QEMU come to one end each while all parts and VMs are killed at random (seed ${seed})`, async (t) => {
  const opened: (() => Promise<unknown>)[] = [];
  t.after(async () => {
    while (opened.length > 0) await opened.pop()?.();
  });
  const folder = await mkdtemp(join((await isInMemory('/dev/shm')) ? '/dev/shm' : tmpdir(), 'ebb-vms-'));
  opened.push(() => rm(folder, { recursive: true, force: true }));
  const ledger = join(folder, 'ledger');
  await writeFile(ledger, '');
  const vms = await startRealVms(folder, ledger);
  opened.push(vms.close);
  const world = await openWorld(vms.startRunner, runners);
  opened.push(world.close);
  const idle = runners * vms.idleOfRunner;
  await runChaos(
    world,
    { ...vms, idle },
    {
      ...{ seed, builds, pace, ledger, teams: 4, projectsOfTeam: 1 },
      commands: commandsOfVm({ host, port: vms.ledgerPort }),
      lastsMs: 90_000,
      patienceMs: 15 * 60_000,
    },
  );
});
