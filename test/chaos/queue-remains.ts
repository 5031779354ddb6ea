import { connectRedis, type RedisClient } from '../../queue/redis-connection.ts';
import { createRedisQueue } from '../../queue/redis-queue.ts';

/** What is packed in `state`, each field with a list of its values; those that are not there are left out. */
const unpacked = `
  local fields = {}
  local all = redis.call('HGETALL', KEYS[1])
  for at = 1, #all, 2 do
    local values = {}
    for place, value in pairs({ cmsgpack.unpack(all[at + 1]) }) do values[tostring(place)] = value end
    fields[all[at]] = values
  end
  return cjson.encode(fields)`;

/** Which of the values, from 1, count what is leased, what waits, and projects with work and room. */
const counters: { [kind: string]: { [what: string]: number } } = {
  fleet: { leased: 3, waiting: 4 },
  team: { leased: 4, ready: 7 },
  project: { leased: 3, waiting: 4 },
};

/**
 * What Redis holds although no build waits or runs: keys or values that name a build, whatever the layout, lines and
 * leases, and counters of builds that wait or are leased and do not say zero. Empty when all is well. See
 * `queue/lua/shared.lua` for the keys.
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
      if (/:(line|lines|ready|leases)(:|$)/.test(key)) remains.push(`${key} is there`);
      if (key.endsWith(':state')) remains.push(...(await countersLeft(redis, key)));
    }
  } finally {
    redis.disconnect();
    await queue.close();
  }
  return remains.sort();
}

async function countersLeft(redis: RedisClient, key: string): Promise<string[]> {
  const fields = JSON.parse(String(await redis.eval(unpacked, 1, key))) as {
    [field: string]: { [place: string]: unknown };
  };
  return Object.entries(fields).flatMap(([field, values]) =>
    Object.entries(counters[field.split(':')[0] ?? ''] ?? {})
      .filter(([, place]) => Number(values[place]) !== 0)
      .map(([name, place]) => `${field} has ${values[place]} ${name}`),
  );
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
