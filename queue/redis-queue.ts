import { setTimeout as delay } from 'node:timers/promises';
import { createAnnouncements } from './announcements.ts';
import {
  type BuildOrder,
  type BuildQueue,
  type Claimed,
  type HeartbeatAnswer,
  type QueueEntry,
  QueueFullError,
} from './build-queue.ts';
import { createLooks } from './looks.ts';
import { connectRedis, type RedisLocation } from './redis-connection.ts';
import { loadScripts } from './scripts.ts';
import { sendTogether } from './send-together.ts';

export interface RedisQueueOptions extends RedisLocation {
  /** Begins every key; the braces keep all keys in one slot of a cluster. */
  prefix?: string;
  /** How many builds may wait before `enqueue` throws QueueFullError. */
  maxWaiting?: number;
}

/** Of one that was taken over also who held it, a line each, and 1 when the last of them handed it over. */
type ClaimAnswer = [build: string, project: string, team: string, takenFrom?: string, handedOver?: number];

// Much less, and virtual time passes what numbers hold.
const leastWeight = 0.001;
// What a script costs whatever it does is paid once for so many builds; others wait for them for about a millisecond.
const together = 16;

/** Connects to Redis 7 and gives the build queue. The caller closes it. Throws when Redis does not answer in 5 s. */
export async function createRedisQueue(options: RedisQueueOptions): Promise<BuildQueue> {
  // The number is that of the layout in `lua/`: what an older release left under another is put there anew by the sweeper.
  const prefix = options.prefix ?? '{ebb-3}';
  const maxWaiting = options.maxWaiting ?? 100_000;
  const redis = await connectRedis(options);
  const scripts = loadScripts(redis, prefix);
  const looks = createLooks(scripts);
  const add = sendTogether(
    together,
    async (builds: ReturnType<typeof inFull>[]) =>
      (await scripts.enqueue(maxWaiting, ...builds.flat())) as (0 | 1)[],
  );
  const claim = sendTogether(
    together,
    async (claims: (string | number)[][]) =>
      (await scripts.claim(...claims.flat())) as (ClaimAnswer | null)[],
  );
  const announcements = createAnnouncements(redis, prefix);
  // What had been heard of work when a claim began that found none: what was heard since may be news.
  let known = 0;

  return {
    async enqueue(entry, concurrency, order) {
      const accepted = await add(inFull(entry, concurrency, order));
      if (!accepted) throw new QueueFullError(maxWaiting);
    },
    async requireRoom() {
      const { waiting } = await looks.counts();
      if (waiting >= maxWaiting) throw new QueueFullError(maxWaiting);
    },
    setConcurrency: async (project, concurrency) => void (await scripts.limit(project, concurrency)),
    async setTeam(team, { weight = 1, limit = '', paused = false, version = '', anyway = false }) {
      if (!(weight > 0)) throw new RangeError(`The weight of a team must be above 0, not ${weight}.`);
      const counted = Math.max(weight, leastWeight);
      return (await scripts.team(team, counted, limit, paused ? 1 : '', version, anyway ? 1 : '')) === 1;
    },
    setFleet: async ({ limit = '', drained = false, version = '', anyway = false }) =>
      (await scripts.fleet(limit, drained ? 1 : '', version, anyway ? 1 : '')) === 1,
    async claim(holder, leaseMs, { place = '', takeOverOnly = false, finished } = {}) {
      const heard = announcements.heard('work');
      const done = [finished?.build ?? '', finished?.holder ?? ''];
      const answer = await claim([holder, leaseMs, place, takeOverOnly ? '1' : '', ...done]);
      if (!answer && !takeOverOnly) known = Math.max(known, heard);
      return answer ? toClaimed(answer) : undefined;
    },
    share: async (build, holder, place) => (await scripts.share(build, holder, place)) === 1,
    handOver: async (build, holder, place = '') => (await scripts.hand_over(build, holder, place)) === 1,
    heartbeat: async (build, holder, leaseMs, place = '') =>
      (await scripts.heartbeat(build, holder, leaseMs, place)) as HeartbeatAnswer,
    async leaseUntil(build) {
      const deadline = await redis.zscore(`${prefix}:leases`, build);
      return deadline === null ? undefined : Number(deadline);
    },
    finish: async (build, holder) => (await scripts.finish(build, holder)) === 1,
    requeue: async (build, holder) => (await scripts.requeue(build, holder)) === 1,
    cancel: async (build) => (await scripts.cancel(build)) as 'removed' | 'signalled' | 'absent',
    forget: async (build) => void (await scripts.forget(build)),
    restore: async (entry, { holder, leaseMs, earlier = '' }, concurrency, order) =>
      (await scripts.restore(...inFull(entry, concurrency, order), holder, leaseMs, earlier)) === 1,
    expired: async ({ forMs = 0, limit = 1000 } = {}) => (await scripts.expired(forMs, limit)) as string[],
    ...looks,
    lead: async (name, forMs) => (await scripts.lead(name, forMs)) === 1,
    walk: async (name, throughAll) =>
      (await scripts.walk(name, throughAll ? '1' : '')) as 'begun' | 'going_on' | 'done',
    async waitForWork(timeoutMs, signal) {
      const done = new AbortController();
      const ended = AbortSignal.any([signal, done.signal]);
      await Promise.race([
        announcements.once('work', known, ended),
        delay(timeoutMs, undefined, { signal: ended }).catch(() => undefined),
      ]);
      done.abort();
    },
    announce: async (build) => void (await redis.publish(`${prefix}:build`, build)),
    watch: (build, onChange, signal) =>
      announcements.on('build', (changed) => changed === build && onChange(), signal),
    watchCancellations: (onCancel, signal) => announcements.on('cancel', onCancel, signal),
    holdBack: async (forMs) => void (await scripts.say('held-back', forMs)),
    present: async (runner, forMs) => void (await scripts.say(`runner:${runner}`, forMs)),
    isPresent: async (runner) => (await redis.exists(`${prefix}:runner:${runner}`)) === 1,
    ping: async () => void (await redis.ping()),
    async close() {
      announcements.close();
      redis.disconnect();
    },
  };
}

function inFull({ build, project, team }: QueueEntry, concurrency: number, order: BuildOrder = {}) {
  const { priority = 0, expectedSeconds = 60, arrivedAt } = order;
  return [build, project, team, concurrency, priority, expectedSeconds, arrivedAt?.getTime() ?? ''] as const;
}

function toClaimed([build, project, team, takenFrom, handedOver]: ClaimAnswer): Claimed {
  if (!build || !project || !team) throw new Error('The queue answered a claim without ids.');
  const taken = takenFrom !== undefined && {
    ...{ takenFrom: takenFrom.split('\n'), handedOver: handedOver === 1 },
  };
  return { build, project, team, ...taken };
}
