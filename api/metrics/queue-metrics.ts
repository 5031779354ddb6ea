import { Gauge, type Registry } from 'prom-client';
import { type BuildQueue, waitReasons } from '../../queue/build-queue.ts';
import { withinTime } from '../within-time.ts';

const timeoutMs = 3_000;

/** Looks at the queue at each scrape, as every process of the API does: take the maximum over them, not the sum. */
export function watchQueue(registry: Registry, queue: Pick<BuildQueue, 'depth' | 'counts'>): void {
  let looking: Promise<void> | undefined;
  // All three are set by one look, which each of them waits for.
  const collect = async () => {
    looking ??= look().finally(() => {
      looking = undefined;
    });
    await looking;
  };
  const about = { registers: [registry], collect };
  const waiting = new Gauge({
    name: 'ebb_queue_waiting_builds',
    help: 'Builds that wait, by what for; the same in each process of the API.',
    labelNames: ['reason'],
    ...about,
  });
  const oldest = new Gauge({
    name: 'ebb_queue_oldest_waiting_seconds',
    help: 'For how long the oldest of them waits.',
    labelNames: ['reason'],
    ...about,
  });
  const leases = new Gauge({
    name: 'ebb_queue_leases',
    help: 'Builds that runners hold a lease of.',
    ...about,
  });

  const look = async (): Promise<void> => {
    const answer = await withinTime(Promise.all([queue.depth(), queue.counts()]), timeoutMs);
    // While Redis is away there is no number, rather than an old one.
    waiting.reset();
    oldest.reset();
    leases.remove();
    if (!answer) return;
    const [depth, { leased }] = answer;
    for (const reason of [...waitReasons, 'unknown'] as const) {
      waiting.set({ reason }, depth[reason]?.waiting ?? 0);
      oldest.set({ reason }, depth[reason]?.oldestSeconds ?? 0);
    }
    leases.set(leased);
  };
}
