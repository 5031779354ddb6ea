import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../../api/db/database.ts';
import { queueRemains } from './queue-remains.ts';
import type { World } from './world.ts';

// A VM whose runner forgot it is ended when two checks have found it, a minute apart; one that lost its runner sooner.
const cleanWithinMs = 150_000;

/** How it all came to rest. */
export interface Settled {
  /** What is not over or not clean when its time was up; empty when all is well. */
  open: string[];
  /** How long it took until the last build was over, and from then until all was clean. */
  buildsMs: number;
  cleanMs: number;
}

/**
 * Waits until every build is over, for `patienceMs`, and then until all is clean while everything still runs: Redis names
 * no build, of the VMs only fresh ones that wait are left, and every build that had one has its receipts.
 */
export async function settle(
  { database, redis }: Pick<World, 'database' | 'redis'>,
  vms: { idle: number; census(): Promise<{ running: string[]; ownerless: string[] }> },
  patienceMs: number,
): Promise<Settled> {
  const builds = await untilNone(patienceMs, () => buildsUnderWay(database));
  const clean = await untilNone(cleanWithinMs, async () => [
    ...(await queueRemains(redis.url)),
    ...(await vmsLeft(database, await vms.census(), vms.idle)),
    ...(await missingReceipts(database)),
  ]);
  return { open: [...builds.open, ...clean.open], buildsMs: builds.tookMs, cleanMs: clean.tookMs };
}

async function untilNone(patienceMs: number, look: () => Promise<string[]>) {
  const from = performance.now();
  for (;;) {
    const open = await look();
    const tookMs = Math.round(performance.now() - from);
    if (open.length === 0 || tookMs > patienceMs) return { open, tookMs };
    await sleep(500);
  }
}

async function buildsUnderWay(database: Database): Promise<string[]> {
  const rows = await database
    .selectFrom('build')
    .select(['id', 'state', 'attempt', 'reason'])
    .where('finished_at', 'is', null)
    .execute();
  return rows.map(({ id, state, attempt, reason }) => `${id} is ${state} at attempt ${attempt}: ${reason}`);
}

async function vmsLeft(
  database: Database,
  { running, ownerless }: { running: string[]; ownerless: string[] },
  idle: number,
): Promise<string[]> {
  const used = await database.selectFrom('vm_use').select(['vm', 'build_id']).execute();
  const left = used.filter(({ vm }) => running.includes(vm));
  return [
    ...ownerless.map((vm) => `${vm} runs, and its runner is dead`),
    ...left.map(({ vm, build_id }) => `${vm} runs, and ${build_id}, which had it, is over`),
    ...(running.length <= idle
      ? []
      : [`${running.length} VMs run, and no more than ${idle} may wait for builds`]),
  ];
}

async function missingReceipts(database: Database): Promise<string[]> {
  const rows = await database
    .selectFrom('vm_use')
    .select('build_id')
    .distinct()
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('receipt')
            .select('id')
            .where('kind', '=', 'ramdisk')
            .whereRef('subject', '=', 'vm_use.build_id'),
        ),
      ),
    )
    .execute();
  return rows.map(({ build_id }) => `${build_id} had a VM and has no receipt of it`);
}
