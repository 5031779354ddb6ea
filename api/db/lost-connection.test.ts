import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sql } from 'kysely';
import { type PostgresForTests, startPostgres } from '../../test/postgres.ts';
import { startTcpProxy } from '../../test/tcp-proxy.ts';
import { buildApp } from '../app.ts';
import { findKey } from '../auth/find-key.ts';
import { send } from '../test-client.ts';
import { openTestContext } from '../test-context.ts';
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

/** A database behind a network that loses what is sent while `lose` is on, on connections that there are. */
async function openBehindProxy(answerMs: number) {
  const url = new URL(postgres.url);
  const proxy = await startTcpProxy(Number(url.port));
  url.port = String(proxy.port);
  const behind = await connectDatabase({ url: url.href }, { answerMs });
  return {
    database: behind,
    lose: (isOn: boolean) => proxy.delay(isOn ? 8_000 : 0),
    async close() {
      await behind.destroy();
      await proxy.close();
    },
  };
}

test('a query whose answer does not come fails, and what is asked for afterwards goes over another connection', async (t) => {
  const { database, lose, close } = await openBehindProxy(300);
  t.after(close);
  lose(true);
  const query = assert.rejects(sql`select 1`.execute(database), /Connection terminated/);
  const transaction = database.transaction().execute((inside) => sql`select 2`.execute(inside));
  await Promise.all([query, assert.rejects(transaction)]);
  lose(false);
  const { rows } = await sql<{ three: number }>`select 3 as three`.execute(database);
  assert.deepEqual(rows, [{ three: 3 }]);
});

test('a process that cannot look up who asks says that it is not ready, until it can', async (t) => {
  const given = await openTestContext({ url: postgres.url });
  const { database, lose, close } = await openBehindProxy(6_000);
  const context = { ...given.context, database };
  const app = await buildApp(context);
  t.after(async () => {
    await app.close();
    await close();
    await given.close();
  });
  const ready = async () => (await send({ ...given, app }, { method: 'GET', url: '/v1/ready' })).body;
  assert.deepEqual(await ready(), { database: true, queue: true });
  lose(true);
  const asked = assert.rejects(findKey(context, { keyId: 'key_asked' }));
  // The packet is on its way by now, and lost; other connections do well.
  await new Promise((resolve) => setTimeout(resolve, 200));
  lose(false);
  assert.deepEqual(await ready(), { database: false, queue: true });
  await asked;
  assert.deepEqual(await ready(), { database: true, queue: true });
});
