import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sql } from 'kysely';
import { type Scope, teamScopes } from '../../../contract/token.ts';
import { createApiKey } from '../../auth/api-key.ts';
import { openTestContext, type TestContext } from '../../test-context.ts';
import { statements } from './0026-teams-in-terraform.ts';

let given: TestContext;
before(async () => {
  given = await openTestContext();
});
after(() => given.close());

test('keys that could make owners still can, and no other key can from now on', async () => {
  const { database } = given.context;
  const { id: teamId } = await database
    .selectFrom('team')
    .select('id')
    .where('name', '=', 'acme')
    .executeTakeFirstOrThrow();
  const whole = teamScopes.filter((scope) => scope !== 'owners:write');
  const old: Record<string, Scope[]> = {
    whole,
    'all but one': whole.filter((scope) => scope !== 'grants:write'),
    members: ['members:read', 'members:write'],
  };
  for (const [name, scopes] of Object.entries(old))
    await createApiKey(database, { teamId, name, scopes, now: new Date() });
  for (const statement of statements.filter((text) => text.startsWith('update api_key')))
    await sql.raw(statement).execute(database);
  const rows = await database.selectFrom('api_key').select(['name', 'scopes']).execute();
  const can = (name: string) => rows.find((row) => row.name === name)?.scopes.includes('owners:write');
  assert.deepEqual(['whole', 'all but one', 'members'].map(can), [true, false, false]);
});
