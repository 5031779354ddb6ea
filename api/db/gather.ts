import type { Database } from './database.ts';

const mostAtOnce = 200;

interface Waiting<K, V> {
  key: K;
  resolve(value: V | undefined): void;
  reject(error: unknown): void;
}

/**
 * Reads one by one what the database can read together: what is asked for while a query is under way makes the next one,
 * each key once. So every answer was read after it was asked for, and a thousand who ask at once cost few queries. Within a
 * transaction it asks at once, by itself.
 *
 * @param ask reads the values of up to 200 different keys, in their order; undefined where there is none
 * @param nameOf the same for keys that are the same
 */
export function gather<K, V>(
  ask: (database: Database, keys: K[]) => Promise<(V | undefined)[]>,
  nameOf: (key: K) => string,
): (database: Database, key: K) => Promise<V | undefined> {
  const lines = new WeakMap<Database, Line<K, V>>();
  return async (database, key) => {
    if (database.isTransaction) return (await ask(database, [key]))[0];
    const line = lines.get(database) ?? { waiting: [], busy: false };
    lines.set(database, line);
    return await new Promise((resolve, reject) => {
      line.waiting.push({ key, resolve, reject });
      if (!line.busy) void serve(database, line);
    });
  };

  async function serve(database: Database, line: Line<K, V>): Promise<void> {
    line.busy = true;
    while (line.waiting.length > 0) {
      const groups = take(line);
      try {
        const values = await ask(
          database,
          groups.flatMap(([first]) => (first ? [first.key] : [])),
        );
        for (const [place, group] of groups.entries())
          for (const { resolve } of group) resolve(values[place]);
      } catch (error) {
        for (const group of groups) for (const { reject } of group) reject(error);
      }
    }
    line.busy = false;
  }

  /** From the front, with all who ask for the same. */
  function take(line: Line<K, V>): Waiting<K, V>[][] {
    const groups = new Map<string, Waiting<K, V>[]>();
    line.waiting = line.waiting.filter((one) => {
      const name = nameOf(one.key);
      const group = groups.get(name) ?? [];
      if (group.length === 0 && groups.size === mostAtOnce) return true;
      group.push(one);
      groups.set(name, group);
      return false;
    });
    return [...groups.values()];
  }
}

interface Line<K, V> {
  waiting: Waiting<K, V>[];
  busy: boolean;
}
