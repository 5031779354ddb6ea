import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sql } from 'kysely';
import { startPostgres } from '../../test/postgres.ts';
import { connectDatabase, type Database, openDatabase } from './database.ts';
import { untilSomebodyWaits } from './lock-for-tests.ts';
import { migrate } from './migrate.ts';

let postgres: Awaited<ReturnType<typeof startPostgres>>;
let database: Database;
before(async () => {
  postgres = await startPostgres();
  database = await openDatabase({ url: postgres.url });
});
after(async () => {
  await database?.destroy();
  await postgres?.close();
});

const undone = '0030-idempotency-key-age';
/** As if this migration had never been. */
const undo = async () => {
  await sql`delete from migration where name = ${undone}`.execute(database);
  await sql`drop index idempotency_key_created_at`.execute(database);
};
const row = (key: string) => ({
  ...{ api_key_id: 'key_1', key, request_hash: 'x', status: null, body: null },
  created_at: new Date(),
});

test('a migration that waits for a long transaction holds nobody else up, and is applied when that is over', async () => {
  await undo();
  const migrating = await database.transaction().execute(async (long) => {
    await long.insertInto('idempotency_key').values(row('long')).execute();
    const migrating = migrate(database, { lockMs: 200, pauseMs: 200 });
    await untilSomebodyWaits(database);
    // This one would wait behind the migration.
    await database.insertInto('idempotency_key').values(row('short')).execute();
    return { migrating };
  });
  assert.deepEqual(await migrating.migrating, [undone]);
  const { rows } = await sql`select 1 from pg_indexes where indexname = 'idempotency_key_created_at'`.execute(
    database,
  );
  assert.equal(rows.length, 1);
});

test('of several that migrate at once one applies it, and all find it done', async () => {
  await undo();
  const others = await Promise.all([1, 2].map(() => connectDatabase({ url: postgres.url })));
  const applied = await Promise.all([database, ...others].map((one) => migrate(one)));
  assert.deepEqual(applied.flat(), [undone]);
  assert.deepEqual(await migrate(database), []);
  await Promise.all(others.map((one) => one.destroy()));
});
