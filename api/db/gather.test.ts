import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Database } from './database.ts';
import { gather } from './gather.ts';

/** A reader whose queries end when the test says so. */
function setUp() {
  const queries: { keys: string[]; end(failed?: Error): void }[] = [];
  const ask = async (_database: Database, keys: string[]) => {
    await new Promise<void>((resolve, reject) =>
      queries.push({ keys, end: (failed) => (failed ? reject(failed) : resolve()) }),
    );
    return keys.map((key) => (key === 'none' ? undefined : `value of ${key}`));
  };
  const read = gather(ask, (key: string) => key);
  const database = { isTransaction: false } as Database;
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  return { queries, database, settled, read: (key: string) => read(database, key), readIn: read };
}

test('what is asked for while a query is under way makes the next one, each key once', async () => {
  const { queries, read, settled } = setUp();
  const first = read('a');
  const later = ['a', 'b', 'none', 'b'].map(read);
  assert.deepEqual(
    queries.map(({ keys }) => keys),
    [['a']],
  );
  queries[0]?.end();
  assert.equal(await first, 'value of a');
  await settled();
  // Also for the key that was under way: who asks later must not be told what was read before.
  assert.deepEqual(queries[1]?.keys, ['a', 'b', 'none']);
  queries[1]?.end();
  assert.deepEqual(await Promise.all(later), ['value of a', 'value of b', undefined, 'value of b']);
  const afterwards = read('c');
  assert.deepEqual(queries[2]?.keys, ['c']);
  queries[2]?.end();
  assert.equal(await afterwards, 'value of c');
});

test('a query that fails fails those who asked for it, and nobody after them', async () => {
  const { queries, read, settled } = setUp();
  const first = assert.rejects(read('a'), /the database is away/);
  const second = read('b');
  queries[0]?.end(new Error('the database is away'));
  await first;
  await settled();
  queries[1]?.end();
  assert.equal(await second, 'value of b');
});

test('many keys are asked for in groups of 200, however many ask for each', async () => {
  const { queries, read, settled } = setUp();
  const first = read('first');
  const many = Array.from({ length: 1_000 }, (_, index) => read(`key ${index % 250}`));
  for (const expected of [1, 200, 50]) {
    const query = queries.at(-1);
    assert.equal(query?.keys.length, expected);
    query?.end();
    await settled();
  }
  await first;
  const values = new Set(await Promise.all(many));
  assert.equal(values.size, 250);
});

test('a transaction reads by itself, what it sees being its own', async () => {
  const { queries, read, readIn } = setUp();
  const outside = read('a');
  const inside = readIn({ isTransaction: true } as Database, 'a');
  assert.deepEqual(
    queries.map(({ keys }) => keys),
    [['a'], ['a']],
  );
  for (const { end } of queries) end();
  assert.deepEqual(await Promise.all([outside, inside]), ['value of a', 'value of a']);
});
