import { setTimeout as delay } from 'node:timers/promises';
import { createRedisQueue } from '../queue/redis-queue.ts';
import { type Contender, idsOf, slots } from './contender.ts';

const leaseMs = 15_000;
const batch = 1_000;

/** Ebb's queue, called as the API and a runner's slots call it. */
export async function createEbbContender(url: string): Promise<Contender> {
  const queue = await createRedisQueue({ url, maxWaiting: 1_000_000 });
  // As the sweeper does before anything is claimed.
  await queue.setFleet({});
  let claims = 0;
  const claim = async (finished?: { build: string; holder: string }) => {
    claims += 1;
    const holder = `bench/${claims}`;
    const entry = await queue.claim(holder, leaseMs, { finished });
    return entry && { build: entry.build, holder };
  };
  const add = (number: number, teams: number) => queue.enqueue(idsOf(number, teams), 1_000);
  // Opens the connection on which a runner hears of work, so that what is published costs what it costs in life.
  await queue.waitForWork(1, AbortSignal.timeout(1_000));

  return {
    async enqueue(first, count, teams) {
      for (let done = 0; done < count; done += batch) {
        const size = Math.min(batch, count - done);
        await Promise.all(Array.from({ length: size }, (_, index) => add(first + done + index, teams)));
      }
    },
    open: async () => ({
      async serve(count) {
        let left = count;
        const slot = async () => {
          let done: Awaited<ReturnType<typeof claim>>;
          while (left > 0) {
            left -= 1;
            done = await claim(done);
            if (!done) throw new Error('There was nothing to claim.');
          }
          if (done) await queue.finish(done.build, done.holder);
        };
        await Promise.all(Array.from({ length: slots }, slot));
      },
      stop: async () => {},
    }),
    async idle() {
      const ended = new AbortController();
      let claimed = () => {};
      const serving = (async () => {
        let done: Awaited<ReturnType<typeof claim>>;
        while (!ended.signal.aborted) {
          done = await claim(done);
          if (done) claimed();
          else await queue.waitForWork(2_000, ended.signal);
        }
      })();
      return {
        async wake(number) {
          await delay(5);
          const start = performance.now();
          const seen = new Promise<number>((resolve) => {
            claimed = () => resolve(performance.now() - start);
          });
          await add(number, 1);
          return await seen;
        },
        async stop() {
          ended.abort();
          await serving;
        },
      };
    },
    close: () => queue.close(),
  };
}
