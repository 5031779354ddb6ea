import { connectRedis, type RedisClient } from '../../queue/redis-connection.ts';
import { createRedisQueue } from '../../queue/redis-queue.ts';

/**
 * What Redis holds although no build waits or runs, whatever its layout: keys or values that name a build, and counters of
 * builds that wait or are leased and do not say zero. Empty when all is well.
 */
export async function queueRemains(url: string): Promise<string[]> {
  const redis = await connectRedis({ url });
  const queue = await createRedisQueue({ url });
  const remains: string[] = [];
  try {
    for (const [kind, many] of Object.entries(await queue.counts()))
      if (many !== 0) remains.push(`the queue counts ${many} ${kind}`);
    const keys = await redis.keys('*');
    if (keys.length === 0) remains.push('Redis is empty: nobody has swept since it forgot all');
    for (const key of keys) {
      const words = [key, ...(await wordsOf(redis, key))];
      const build = words.find((word) => /\bbld_\w+/.test(word));
      if (build !== undefined) remains.push(`${key} names a build: ${build}`);
      for (const [at, word] of words.entries())
        if (/(^|:)(leased|waiting)$/.test(word) && Number(words[at + 1] ?? 0) !== 0)
          remains.push(`${key} has ${words[at + 1]} ${word}`);
    }
  } finally {
    redis.disconnect();
    await queue.close();
  }
  return remains.sort();
}

/** All that a key holds; of a hash its fields and their values in turn. */
async function wordsOf(redis: RedisClient, key: string): Promise<string[]> {
  switch (await redis.type(key)) {
    case 'string':
      return [(await redis.get(key)) ?? ''];
    case 'hash':
      return Object.entries(await redis.hgetall(key)).flat();
    case 'zset':
      return await redis.zrange(key, '0', '-1');
    case 'set':
      return await redis.smembers(key);
    case 'none':
      return [];
    default:
      throw new Error(`${key} is of a kind that nobody looks at here.`);
  }
}
