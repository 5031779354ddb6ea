import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { recordAudit } from '../api/audit/record-audit.ts';
import type { ApiContext } from '../api/context.ts';
import { openDatabase } from '../api/db/database.ts';
import { newId } from '../api/db/new-id.ts';
import { addTeam, type Client, signIn } from '../api/test-client.ts';
import { openTestContext, type TestContext } from '../api/test-context.ts';
import { verifyAudit } from '../cli/verify/verify-audit.ts';
import { hashOfEntry } from '../contract/audit-chain.ts';
import { startPostgres } from './postgres.ts';

/*
 * The promise: nobody changes a team's past unseen, also not whoever has the whole database. What the attacker lacks is
 * the API's signing key; for a past that is taken away as a whole, a head that the team kept.
 */

let postgres: Awaited<ReturnType<typeof startPostgres>>;
let given: TestContext;
let superuser: pg.Client;
before(async () => {
  postgres = await startPostgres();
  given = await openTestContext({ url: postgres.url });
  superuser = new pg.Client({ connectionString: postgres.url });
  await superuser.connect();
  // The triggers are no wall for who owns the database.
  for (const table of ['audit_event', 'audit_head'])
    await superuser.query(`alter table ${table} disable trigger all`);
});
after(async () => {
  await superuser.end();
  await given.close();
  await postgres.close();
});

let teams = 0;
/** A team with eight entries besides those of signing in, the head it kept at its last entry, and its client. */
async function victim() {
  const name = `victim-${++teams}`;
  const client = await signIn(given, await addTeam(given, name));
  const id = (await superuser.query('select id from team where name = $1', [name])).rows[0].id as string;
  await work(id, 8);
  const kept = (await client.call('GET', '/v1/audit-head')).body;
  const { seq: last } = JSON.parse(Buffer.from(kept.payload, 'base64').toString());
  return { id, client, kept, last: last as number };
}

async function work(
  teamId: string,
  count: number,
  context: Pick<ApiContext, 'database' | 'now' | 'signer'> = given.context,
) {
  for (let index = 0; index < count; index += 1)
    await recordAudit(context, {
      teamId,
      action: 'secret.changed',
      actor: 'key_1',
      subject: `sec_${index}`,
      detail: {},
    });
}

async function verify(client: Client, keptHeads: unknown[] = []): Promise<string> {
  const { text } = await client.call('GET', '/v1/audit-events/export');
  const jwks = given.context.signer.jwks();
  const verdict = await verifyAudit(text.split('\n').slice(0, -1), { jwks, keptHeads });
  return verdict.ok ? 'It holds.' : verdict.problem;
}

test('an untouched trail holds, with the head that was kept', async () => {
  const { client, kept } = await victim();
  assert.equal(await verify(client, [kept]), 'It holds.');
});

test('a database administrator who edits an entry is found', async () => {
  const { id, client } = await victim();
  await superuser.query(`update audit_event set actor = 'somebody' where team_id = $1 and seq = 3`, [id]);
  assert.match(await verify(client), /^Entry 3 \(line 3\) was edited/);
});

test('a database administrator who deletes an entry in the middle is found', async () => {
  const { id, client } = await victim();
  await superuser.query('delete from audit_event where team_id = $1 and seq = 3', [id]);
  assert.match(await verify(client), /entry 3 is missing before entry 4/);
  await superuser.query('update audit_event set seq = seq - 1 where team_id = $1 and seq = 4', [id]);
  assert.match(await verify(client), /^Entry 3 \(line 3\) was edited/);
});

test('a database administrator who cuts off the end is found by the next entry, or by a head that was kept', async () => {
  const { id, client, kept, last } = await victim();
  await superuser.query('delete from audit_event where team_id = $1 and seq > $2', [id, last - 2]);
  assert.equal(await verify(client), 'It holds.', 'the part that is left is a trail of its own');
  assert.match(
    await verify(client, [kept]),
    new RegExp(`speaks of entry ${last}, but the trail ends with entry ${last - 2}`),
  );
  await work(id, 1);
  assert.match(await verify(client), new RegExp(`entries ${last - 1} to ${last} are missing`));
});

test('who cuts off the end with its head, and lets Ebb write on, is found by a head that was kept', async () => {
  const { id, client, kept, last } = await victim();
  await superuser.query('delete from audit_event where team_id = $1 and seq > $2', [id, last - 2]);
  await superuser.query(
    `update audit_head h set seq = e.seq, hash = e.hash, at = e.at from audit_event e
     where e.team_id = h.team_id and h.team_id = $1 and e.seq = $2`,
    [id, last - 2],
  );
  await work(id, 4);
  assert.match(
    await verify(client, [kept]),
    new RegExp(`^Entry ${last} .* is not the one that the kept head saw`),
  );
});

test('a database administrator who inserts an entry is found', async () => {
  const { id, client, last } = await victim();
  await superuser.query(
    `insert into audit_event select team_id, seq + 1, $2, at, action, 'somebody', subject, detail, hash, hash, key_id, signature
     from audit_event where team_id = $1 and seq = $3`,
    [id, newId('aud'), last],
  );
  assert.match(await verify(client), new RegExp(`^Entry ${last + 1} .* was edited`));
});

test('a database administrator who exchanges two entries is found', async () => {
  const { id, client } = await victim();
  const move = 'update audit_event set seq = $3 where team_id = $1 and seq = $2';
  for (const [from, to] of [
    [3, 99],
    [4, 3],
    [99, 4],
  ])
    await superuser.query(move, [id, from, to]);
  assert.match(await verify(client), /^Entry 3 \(line 3\) was edited/);
});

test("a database administrator who moves another team's entries over is found", async () => {
  const [one, other] = [await victim(), await victim()];
  await superuser.query('delete from audit_event where team_id = $1', [one.id]);
  await superuser.query('update audit_event set team_id = $1 where team_id = $2', [one.id, other.id]);
  assert.match(await verify(one.client), /^Entry 1 \(line 1\) was edited/);
});

test('a database administrator who makes every hash anew after an edit is found', async () => {
  const { id, client, last } = await victim();
  await superuser.query(`update audit_event set actor = 'somebody' where team_id = $1 and seq = 3`, [id]);
  await rehash(id);
  assert.match(await verify(client), /^Entry 3 \(line 3\) is not signed by Ebb/);
  await work(id, 2);
  assert.match(await verify(client), /^Entry 3 /, 'what Ebb signs afterwards does not cover it up');
  assert.ok(last > 3);
});

/** Makes previous hashes, hashes and head fit again, as a program of the attacker would. */
async function rehash(id: string): Promise<void> {
  const { rows } = await superuser.query('select * from audit_event where team_id = $1 order by seq', [id]);
  let previous = '0'.repeat(64);
  for (const { team_id: team, at, seq, id: entry, action, actor, subject, detail } of rows) {
    const hash = hashOfEntry({
      ...{ id: entry, team, seq, previous, at: at.toISOString(), action, actor, subject, detail },
    });
    await superuser.query('update audit_event set previous = $3, hash = $4 where team_id = $1 and seq = $2', [
      ...[id, seq, previous, hash],
    ]);
    previous = hash;
  }
  await superuser.query('update audit_head set hash = $2 where team_id = $1', [id, previous]);
}

test('a database administrator who puts an old copy of the tables back is found by a head that was kept', async () => {
  const { id, client } = await victim();
  for (const table of ['audit_event', 'audit_head'])
    await superuser.query(`create table old_${table} as select * from ${table} where team_id = '${id}'`);
  await work(id, 3);
  const kept = (await client.call('GET', '/v1/audit-head')).body;
  for (const table of ['audit_event', 'audit_head']) {
    await superuser.query(`delete from ${table} where team_id = '${id}'`);
    await superuser.query(`insert into ${table} select * from old_${table}`);
  }
  assert.match(await verify(client, [kept]), /its end was cut off, or an old copy was put back/);
  await work(id, 9);
  assert.match(await verify(client, [kept]), /is not the one that the kept head saw/);
});

test('a database administrator who lets the chain begin anew cannot have a past of his own signed into it', async () => {
  const { id, client, kept } = await victim();
  await superuser.query('create table if not exists gone as select * from audit_event with no data');
  await superuser.query('insert into gone select * from audit_event where team_id = $1', [id]);
  for (const table of ['audit_event', 'audit_head'])
    await superuser.query(`delete from ${table} where team_id = $1`, [id]);
  await work(id, 3);
  const { text } = await client.call('GET', '/v1/audit-events/export');
  const [first = ''] = text.split('\n');
  assert.equal(JSON.parse(first).subject, 'sec_0', 'what Ebb writes from now on, and nothing else');
  assert.match(await verify(client, [kept]), /speaks of entry|is not the one that the kept head saw/);
  // Whatever is put in beside it is not signed.
  await superuser.query(`update gone set seq = seq + 3, actor = 'somebody' where team_id = $1`, [id]);
  await superuser.query(`insert into audit_event select * from gone where team_id = $1`, [id]);
  assert.notEqual(await verify(client), 'It holds.');
});

test('two hundred appends at once, by two processes over many connections, make one chain without gaps', async () => {
  const { id, client, kept, last } = await victim();
  const second = await openDatabase({ url: postgres.url });
  try {
    const contexts = [given.context, { ...given.context, database: second }];
    await Promise.all(Array.from({ length: 200 }, (_, index) => work(id, 1, contexts[index % 2])));
  } finally {
    await second.destroy();
  }
  assert.equal(await verify(client, [kept]), 'It holds.');
  const { rows } = await superuser.query(
    'select max(seq), count(*)::int from audit_event where team_id = $1',
    [id],
  );
  assert.deepEqual(rows, [{ max: last + 200, count: last + 200 }]);
});

test('a chain that many begin at the same moment has one beginning', async () => {
  const name = 'beginners';
  const id = newId('team');
  await superuser.query('insert into team values ($1, $2, now())', [id, name]);
  await Promise.all(Array.from({ length: 20 }, () => work(id, 1)));
  const { rows } = await superuser.query(
    'select max(seq), count(*)::int from audit_event where team_id = $1',
    [id],
  );
  assert.deepEqual(rows, [{ max: 20, count: 20 }]);
});
