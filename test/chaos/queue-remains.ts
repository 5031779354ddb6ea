import { connectRedis } from '../../queue/redis-connection.ts';

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

/** Which of the values counts what is leased, from 1, and which what waits. */
const counters: { [kind: string]: { leased: number; waiting?: number } } = {
  fleet: { leased: 3, waiting: 4 },
  team: { leased: 4, waiting: 7 },
  project: { leased: 3, waiting: 4 },
};

/**
 * What the queue holds although no build waits or runs: entries, leases, places in line, and counters that do not say
 * zero. Empty when all is well. See `queue/lua/shared.lua` for the keys.
 */
export async function queueRemains(url: string): Promise<string[]> {
  const redis = await connectRedis({ url });
  const remains: string[] = [];
  try {
    for (const key of await redis.keys('{ebb-3}:*')) {
      const [, kind = ''] = key.split(':');
      if (['line', 'lines', 'ready', 'leases'].includes(kind)) remains.push(key);
    }
    const fields = JSON.parse(String(await redis.eval(unpacked, 1, '{ebb-3}:state'))) as {
      [field: string]: { [place: string]: unknown };
    };
    for (const [field, values] of Object.entries(fields)) {
      const [kind = ''] = field.split(':');
      if (kind === 'build') remains.push(field);
      for (const [name, place] of Object.entries(counters[kind] ?? {}))
        if (Number(values[place]) !== 0) remains.push(`${field} has ${values[place]} ${name}`);
    }
  } finally {
    redis.disconnect();
  }
  return remains.sort();
}
