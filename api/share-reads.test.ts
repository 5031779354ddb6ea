import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Database } from './db/database.ts';
import { shareReads } from './share-reads.ts';

/** A reader whose readings end when the test says so. */
function setUp() {
  const readings: { key: string; end(failed?: Error): void }[] = [];
  const read = shareReads(
    async (_database: Database, key: string) => {
      const place = readings.length;
      await new Promise<void>((resolve, reject) =>
        readings.push({ key, end: (failed) => (failed ? reject(failed) : resolve()) }),
      );
      return `${key} as of reading ${place}`;
    },
    (key: string) => key,
  );
  const database = { isTransaction: false } as Database;
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  return { readings, settled, read: (key: string) => read(database, key) };
}

test('who asks while it is read gets the next reading, which all of them share', async () => {
  const { readings, read, settled } = setUp();
  const first = read('a');
  const later = [read('a'), read('a')];
  assert.equal(readings.length, 1);
  readings[0]?.end();
  assert.equal(await first, 'a as of reading 0');
  await settled();
  assert.equal(readings.length, 2);
  const last = read('a');
  readings[1]?.end();
  assert.deepEqual(await Promise.all(later), Array(2).fill('a as of reading 1'));
  await settled();
  readings[2]?.end();
  assert.equal(await last, 'a as of reading 2');
  assert.equal(readings.length, 3);
});

test('what takes long or fails concerns those alone who ask for the same', async () => {
  const { readings, read, settled } = setUp();
  const slow = read('slow');
  const bad = assert.rejects(read('bad'), /damaged/);
  const good = read('good');
  readings[1]?.end(new Error('damaged'));
  readings[2]?.end();
  await bad;
  assert.equal(await good, 'good as of reading 2');
  const again = read('good');
  await settled();
  readings[3]?.end();
  assert.equal(await again, 'good as of reading 3');
  readings[0]?.end();
  assert.equal(await slow, 'slow as of reading 0');
});

test('a reading that failed is followed by the next all the same', async () => {
  const { readings, read, settled } = setUp();
  const first = assert.rejects(read('a'), /away/);
  const second = read('a');
  readings[0]?.end(new Error('away'));
  await first;
  await settled();
  readings[1]?.end();
  assert.equal(await second, 'a as of reading 1');
});
