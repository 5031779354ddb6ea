import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { openDatabase } from '../../api/db/database.ts';
import { freePort } from '../../queue/free-port.ts';
import { startPostgres } from '../../test/postgres.ts';
import { databaseFindings } from './database-findings.ts';
import { codesOf } from './doctor-for-tests.ts';

const now = () => new Date();
const options = { migrates: false, now };

/** As its superuser, without fsync: what a machine for tests has. */
let careless: Awaited<ReturnType<typeof startPostgres>>;
let sound: Awaited<ReturnType<typeof startPostgres>>;
let soundUrl: string;
before(async () => {
  careless = await startPostgres();
  sound = await startPostgres(undefined, 'on');
  const client = new pg.Client(sound.url);
  await client.connect();
  await client.query('create role app login');
  await client.query('create database app owner app');
  await client.end();
  soundUrl = sound.url.replace('ebb@', 'app@').replace('/postgres', '/app');
  await (await openDatabase({ url: soundUrl })).destroy();
});
after(() => Promise.all([careless.close(), sound.close()]));

test('a migrated database of a user of its own is fine', async () => {
  assert.deepEqual(await databaseFindings({ url: soundUrl }, options), []);
});

test('fsync off, a superuser and a schema that is behind are found, and nothing is migrated', async () => {
  for (let time = 1; time <= 2; time++) {
    const found = await databaseFindings({ url: careless.url }, options);
    const codes = ['migrations_missing', 'database_without_fsync', 'database_as_superuser'];
    assert.deepEqual(codesOf(found), codes);
    assert.equal(found[0]?.severity, 'high');
  }
  const [missing] = await databaseFindings({ url: careless.url }, { migrates: true, now });
  assert.equal(missing?.severity, 'info');
});

test('a clock that differs from that of the database by more than a minute is found', async () => {
  const at = (ms: number) =>
    databaseFindings({ url: soundUrl }, { ...options, now: () => new Date(Date.now() + ms) });
  const [ahead] = await at(3600_000);
  assert.match(ahead?.what ?? '', /is 3\d{3} s ahead of that of PostgreSQL/);
  assert.deepEqual(codesOf(await at(-3600_000)), ['clock_is_off']);
  assert.deepEqual(await at(5_000), []);
});

test('a PostgreSQL that does not answer is found', async () => {
  const url = `postgresql://app:a-password@127.0.0.1:${await freePort()}/app`;
  const found = await databaseFindings({ url }, options);
  assert.deepEqual(codesOf(found), ['database_unreachable']);
  assert.doesNotMatch(JSON.stringify(found), /a-password/);
});

test('the embedded database is named and stays closed', async () => {
  const found = await databaseFindings({ folder: '/nowhere/at/all' }, options);
  assert.deepEqual(codesOf(found), ['database_is_embedded']);
});
