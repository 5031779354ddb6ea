import { readFileSync } from 'node:fs';
import type { RedisClient } from './redis-connection.ts';

const shared = read('shared');

/** Every change of the queue is one script of `lua/`, so that it happens whole or not at all. */
export const scriptNames = [
  'enqueue',
  'limit',
  'team',
  'fleet',
  'claim',
  'heartbeat',
  'finish',
  'requeue',
  'cancel',
  'forget',
  'expired',
  'share',
  'hand_over',
  'places',
  'restore',
  'look',
  'page',
  'counts',
  'depth',
  'lead',
  'say',
  'walk',
] as const;
type ScriptName = (typeof scriptNames)[number];

export type Scripts = Record<ScriptName, (...args: (string | number)[]) => Promise<unknown>>;

/**
 * Where Redis is full builds are ended, claimed and held all the same, without which it would stay so; none is added.
 * https://redis.io/docs/latest/develop/programmability/eval-intro/#eval-flags
 */
const headOf = (name: ScriptName) => (name === 'enqueue' ? '#!lua' : '#!lua flags=allow-oom');

/** Makes the scripts callable on a connection; each is sent once and then called by its digest. */
export function loadScripts(redis: RedisClient, prefix: string): Scripts {
  const call = (name: ScriptName) => {
    const command = `ebb_${name}`;
    redis.defineCommand(command, { numberOfKeys: 1, lua: `${headOf(name)}\n${shared}\n${read(name)}` });
    const run = (redis as unknown as Record<string, (...args: (string | number)[]) => Promise<unknown>>)[
      command
    ];
    if (!run) throw new Error(`The Redis client does not know the script ${name}.`);
    return (...args: (string | number)[]) => run.call(redis, prefix, ...args);
  };
  return Object.fromEntries(scriptNames.map((name) => [name, call(name)])) as Scripts;
}

function read(name: string): string {
  return readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8');
}
