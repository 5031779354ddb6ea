import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../../api/db/database.ts';
import { queueRemains } from './queue-remains.ts';
import type { World } from './world.ts';

/**
 * Waits until every build is over, the queue is empty, no VM of a dead runner is left, and every build that had a VM has
 * its receipts. Gives what is not so when `patienceMs` are over; nothing when all settled.
 */
export async function settle(
  { database, redis }: Pick<World, 'database' | 'redis'>,
  ownerlessVms: () => Promise<string[]>,
  patienceMs: number,
): Promise<string[]> {
  const until = performance.now() + patienceMs;
  for (;;) {
    const open = [
      ...(await buildsUnderWay(database)),
      ...(await queueRemains(redis.url)),
      ...(await ownerlessVms()).map((vm) => `${vm} runs, and its runner is dead`),
      ...(await missingReceipts(database)),
    ];
    if (open.length === 0 || performance.now() > until) return open;
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
