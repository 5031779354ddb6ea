import { setTimeout as delay } from 'node:timers/promises';
import { type Processor, Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { type Contender, idsOf, slots } from './contender.ts';

const name = 'builds';
const batch = 1_000;

/**
 * BullMQ at what was measured to be its best: jobs added in bulk (200 and 5,000 at once are slower), one worker that keeps
 * all slots busy and gets the next job with the end of the last (so do two and four), automatic pipelining (a third slower
 * without), jobs removed at their end, next to no events kept, no look for stalled jobs.
 */
export async function createBullmqContender(url: string): Promise<Contender> {
  const connection = new Redis(url, { enableAutoPipelining: true, maxRetriesPerRequest: null });
  const queue = new Queue(name, { connection, streams: { events: { maxLen: 0 } } });
  await queue.waitUntilReady();
  const job = (number: number, teams: number) => {
    const { build, project, team } = idsOf(number, teams);
    const opts = { jobId: build, removeOnComplete: true, removeOnFail: true };
    return { name: 'build', data: { project, team }, opts };
  };
  const work = async (processor: Processor, concurrency: number) => {
    const worker = new Worker(name, processor, {
      ...{ connection, concurrency, autorun: false, drainDelay: 5 },
      ...{ skipStalledCheck: true, lockDuration: 600_000 },
    });
    worker.on('error', (error) => console.error(error));
    await worker.waitUntilReady();
    return worker;
  };

  return {
    async enqueue(first, count, teams) {
      for (let done = 0; done < count; done += batch) {
        const size = Math.min(batch, count - done);
        await queue.addBulk(Array.from({ length: size }, (_, index) => job(first + done + index, teams)));
      }
    },
    async open() {
      const worker = await work(async () => undefined, slots);
      return {
        async serve(count) {
          // It does not stop for the count: those that are under way then have had half of their work.
          let left = count - slots / 2;
          const over = new Promise<void>((resolve) => {
            worker.on('completed', () => {
              left -= 1;
              if (left === 0) resolve();
            });
          });
          void worker.run();
          await over;
        },
        stop: () => worker.close(),
      };
    },
    async idle() {
      let claimed = () => {};
      const worker = await work(async () => claimed(), 1);
      void worker.run();
      return {
        async wake(number) {
          await delay(5);
          const start = performance.now();
          const seen = new Promise<number>((resolve) => {
            claimed = () => resolve(performance.now() - start);
          });
          const { data, opts } = job(number, 1);
          await queue.add(name, data, opts);
          return await seen;
        },
        stop: () => worker.close(),
      };
    },
    async close() {
      await queue.close();
      connection.disconnect();
    },
  };
}
