import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sql } from 'kysely';
import { type Scope, teamScopes } from '../../../contract/token.ts';
import { createApiKey } from '../../auth/api-key.ts';
import { openTestContext, type TestContext } from '../../test-context.ts';
import { statements } from './0023-people.ts';

let given: TestContext;
before(async () => {
  given = await openTestContext();
});
after(() => given.close());

test('keys of before can do what they could, and an owner’s key chooses members', async () => {
  const { database } = given.context;
  const { id: teamId } = await database
    .selectFrom('team')
    .select('id')
    .where('name', '=', 'acme')
    .executeTakeFirstOrThrow();
  const added = ['members:read', 'members:write', 'team:revoke'];
  const old: Record<string, Scope[]> = {
    owner: teamScopes.filter((scope) => !added.includes(scope)),
    terraform: ['projects:read', 'projects:write'],
    reader: ['builds:read'],
  };
  for (const [name, scopes] of Object.entries(old))
    await createApiKey(database, { teamId, name, scopes, now: new Date() });
  for (const statement of statements.filter((text) => /^update api_key set scopes/.test(text)))
    await sql.raw(statement).execute(database);
  const rows = await database.selectFrom('api_key').select(['name', 'scopes']).execute();
  const addedTo = (name: string) =>
    rows.find((row) => row.name === name)?.scopes.filter((scope) => added.includes(scope));
  assert.deepEqual(addedTo('owner'), added);
  assert.deepEqual(addedTo('terraform'), ['team:revoke']);
  assert.deepEqual(addedTo('reader'), []);
});
