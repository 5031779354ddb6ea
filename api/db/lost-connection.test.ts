import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sql } from 'kysely';
import { type PostgresForTests, startPostgres } from '../../test/postgres.ts';
import { connectDatabase, type Database } from './database.ts';

let postgres: PostgresForTests;
let database: Database;

before(async () => {
  postgres = await startPostgres();
  database = await connectDatabase({ url: postgres.url });
});
after(async () => {
  await database.destroy();
  await postgres.close();
});

test('a server that is killed between two statements of a transaction fails the transaction alone', async () => {
  const transaction = database.transaction().execute(async (inside) => {
    await sql`select 1`.execute(inside);
    await postgres.killAndRestart();
    await sql`select 2`.execute(inside);
  });
  await assert.rejects(transaction);
  const { rows } = await sql<{ three: number }>`select 3 as three`.execute(database);
  assert.deepEqual(rows, [{ three: 3 }]);
});
