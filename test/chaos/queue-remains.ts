import { connectRedis } from '../../queue/redis-connection.ts';

/**
 * What the queue holds although no build waits or runs: entries, leases, places in line, and counters that do not say
 * zero. Empty when all is well. See `queue/lua/shared.lua` for the keys.
 */
export async function queueRemains(url: string): Promise<string[]> {
  const redis = await connectRedis({ url });
  const remains: string[] = [];
  try {
    for (const key of await redis.keys('{ebb-2}:*')) {
      const [, kind = ''] = key.split(':');
      if (['entry', 'line', 'ready', 'leases'].includes(kind)) remains.push(key);
      if (kind === 'waiting' && Number(await redis.get(key)) !== 0)
        remains.push(`${key} is ${await redis.get(key)}`);
      if (['project', 'team', 'fleet'].includes(kind)) {
        const leased = await redis.hget(key, 'leased');
        if (Number(leased ?? 0) !== 0) remains.push(`${key} has ${leased} leased`);
      }
    }
  } finally {
    redis.disconnect();
  }
  return remains.sort();
}
