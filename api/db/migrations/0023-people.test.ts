import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { PGlite } from '@electric-sql/pglite';
import { Kysely, PGliteDialect, sql } from 'kysely';
import { migrate, migrations } from '../migrate.ts';
import type { Schema } from '../schema.ts';

/*
 * A database of the release before, with what teams had in it, is brought up to date as the start of the API does it.
 */

/** All scopes that there were. */
const owner = [
  ...['projects:read', 'projects:write', 'builds:read', 'builds:write', 'builds:approve', 'logs:read'],
  ...['receipts:read', 'audit:read', 'grants:write', 'keys:read', 'keys:write'],
];
const old: Record<string, string[]> = {
  owner,
  'keys and grants': ['keys:write', 'grants:write'],
  keys: ['keys:write'],
  terraform: ['projects:read', 'projects:write'],
  reader: ['builds:read'],
  workload: ['builds:write'],
};

let database: Kysely<Schema>;
before(async () => {
  const pglite = new PGlite();
  database = new Kysely<Schema>({ dialect: new PGliteDialect({ pglite }) });
  await sql`create table migration (name text primary key, applied_at timestamptz not null default now())`.execute(
    database,
  );
  for (const { name, statements } of migrations.filter((migration) => migration.name < '0023')) {
    for (const statement of statements) await sql.raw(statement).execute(database);
    await sql`insert into migration (name) values (${name})`.execute(database);
  }
  await sql`insert into team (id, name, created_at) values ('team_1', 'acme', now())`.execute(database);
  for (const [name, scopes] of Object.entries(old))
    await sql`
      insert into api_key (id, team_id, name, secret_hash, scopes, created_at)
      values (${`key_${name}`}, 'team_1', ${name}, ${Buffer.from(name)}, ${JSON.stringify(scopes)}::jsonb, now())
    `.execute(database);
  await sql`
    insert into workload_identity (id, api_key_id, team_id, name, issuer, audience, claims, created_at)
    values ('wid_1', 'key_workload', 'team_1', 'ci', 'https://ci.example.com', 'ebb', '{"sub": "shop"}', now())
  `.execute(database);
  await sql`
    insert into mail (id, team_id, recipient, subject, body, created_at, due_at)
    values ('mail_1', 'team_1', 'ada@example.com', 'A use of your grant', 'It was used.', now(), now())
  `.execute(database);
  const applied = await migrate(database);
  assert.equal(applied[0], '0023-people');
});
after(() => database.destroy());

const keyOf = async (name: string) =>
  await database.selectFrom('api_key').selectAll().where('name', '=', name).executeTakeFirstOrThrow();

test('keys of before can do what they could, and no more than that needs', async () => {
  const gained = {
    owner: ['members:read', 'members:write', 'owners:write', 'team:revoke'],
    'keys and grants': ['members:read', 'members:write'],
    keys: [],
    terraform: ['team:revoke'],
    reader: [],
    workload: [],
  };
  for (const [name, more] of Object.entries(gained)) {
    const { scopes } = await keyOf(name);
    assert.deepEqual([...scopes].sort(), [...(old[name] ?? []), ...more].sort(), name);
  }
});

test('what stands for a workload is told from keys that somebody holds', async () => {
  assert.equal((await keyOf('workload')).kind, 'workload');
  for (const name of Object.keys(old).filter((other) => other !== 'workload'))
    assert.equal((await keyOf(name)).kind, 'key', name);
});

test('keys of before are for the whole team, and nobody is said to have made them', async () => {
  const { project_id, created_by, last_used_at } = await keyOf('terraform');
  assert.deepEqual([project_id, created_by, last_used_at], [null, null, null]);
});

test('a mail that waits is still to be sent', async () => {
  const mail = await database.selectFrom('mail').selectAll().executeTakeFirstOrThrow();
  assert.deepEqual(
    [mail.team_id, mail.recipient, mail.sealed_link, mail.expires_at],
    ['team_1', 'ada@example.com', null, null],
  );
});
