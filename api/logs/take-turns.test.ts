import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Database } from '../db/database.ts';
import { inTurn } from './take-turns.ts';

test('one is read at a time, and a project whose logs many read holds up another for one turn', async () => {
  const database = {} as Database;
  const order: string[] = [];
  let underWay = 0;
  const read = (projectId: string, name: string) =>
    inTurn(database, projectId, async () => {
      assert.equal(++underWay, 1);
      await new Promise((resolve) => setImmediate(resolve));
      underWay -= 1;
      order.push(name);
      return name;
    });
  const busy = [1, 2, 3, 4].map((number) => read('busy', `busy ${number}`));
  const calm = [1, 2].map((number) => read('calm', `calm ${number}`));
  assert.deepEqual(await Promise.all(calm), ['calm 1', 'calm 2']);
  await Promise.all(busy);
  assert.deepEqual(order, ['busy 1', 'busy 2', 'calm 1', 'busy 3', 'calm 2', 'busy 4']);
});

test('one that fails stops nobody', async () => {
  const database = {} as Database;
  const bad = inTurn(database, 'one', () => Promise.reject(new Error('damaged')));
  const good = inTurn(database, 'one', async () => 'read');
  await assert.rejects(bad, /damaged/);
  assert.equal(await good, 'read');
  assert.equal(await inTurn(database, 'one', async () => 'again'), 'again');
});
