import type { BuildQueue } from './build-queue.ts';
import { createRedisQueue, type RedisQueueOptions } from './redis-queue.ts';

/** A queue as it is once a sweeper was there, for tests in which none is: builds that wait in it are claimed. */
export async function createSweptQueue(options: RedisQueueOptions): Promise<BuildQueue> {
  const queue = await createRedisQueue(options);
  await queue.setFleet({});
  return queue;
}

/** Has the queue know that Redis has lost nothing since it was last started, as it does after a sweeper's walk. */
export async function walkThrough(queue: BuildQueue): Promise<void> {
  await queue.walk('test', false);
  await queue.walk('test', true);
}
