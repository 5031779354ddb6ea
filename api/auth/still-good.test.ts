import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Scope } from '../../contract/token.ts';
import { stillGranted } from '../access-grants/use-grant.ts';
import { json } from '../db/database.ts';
import { addOperator, addTeam, created, declareProject, signIn } from '../test-client.ts';
import { openTestContext, type TestContext } from '../test-context.ts';
import { toPrincipal } from './authenticate.ts';
import { stillGood, untilTokenEnds } from './require-scope.ts';

/* Answers that go on for hours are asked for by a key that may change meanwhile. */

let given: TestContext;
before(async () => {
  given = await openTestContext();
});
after(() => given.close());

async function asker(key: string, narrow: Record<string, string> = {}) {
  const { token } = await signIn(given, key, narrow);
  const claims = await given.context.tokens.verify(token);
  assert.ok(claims);
  return toPrincipal(claims);
}

const change = (id: string, { scopes, ...more }: { scopes?: Scope[]; ends_at?: Date }) =>
  given.context.database
    .updateTable('api_key')
    .set({ ...more, ...(scopes && { scopes: json(scopes) }) })
    .where('id', '=', id)
    .execute();

test('a stream ends when its key loses the scope that it was opened with', async () => {
  const principal = await asker(await addTeam(given, 'readers'));
  const mayGoOn = stillGood(given.context, principal, 'logs:read');
  assert.equal(await mayGoOn(), true);
  await change(principal.keyId, { scopes: ['builds:read'] });
  assert.equal(await mayGoOn(), false);
  await change(principal.keyId, { scopes: ['logs:read'] });
  assert.equal(await mayGoOn(), true);
});

test('a stream ends with its key', async () => {
  const principal = await asker(await addTeam(given, 'leavers'));
  const mayGoOn = stillGood(given.context, principal, 'logs:read');
  await change(principal.keyId, { ends_at: new Date(Date.now() + 60_000) });
  assert.equal(await mayGoOn(), true);
  await change(principal.keyId, { ends_at: new Date() });
  assert.equal(await mayGoOn(), false);
});

test('a stream ends with its token, which lasts a quarter of an hour', async () => {
  const principal = await asker(await addTeam(given, 'waiters'));
  const after = (minutes: number) => () => new Date(Date.now() + minutes * 60_000);
  const mayGoOn = (minutes: number) =>
    untilTokenEnds({ now: after(minutes) }, principal, stillGood(given.context, principal, 'logs:read'))();
  assert.equal(await mayGoOn(14), true);
  assert.equal(await mayGoOn(16), false);
});

test('a stream of a token of one project ends when the project is revoked', async () => {
  const admin = await signIn(given, given.keys.admin);
  const { id } = await declareProject(given, admin);
  const mayGoOn = stillGood(given.context, await asker(given.keys.admin, { project_id: id }), 'logs:read');
  assert.equal(await mayGoOn(), true);
  assert.equal((await admin.call('DELETE', `/v1/projects/${id}`)).status, 204);
  assert.equal(await mayGoOn(), false);
});

test('a stream under a grant ends when the key of the core crew does, or is of the core crew no more', async () => {
  const admin = await signIn(given, given.keys.admin);
  const { id: project_id } = await declareProject(given, admin);
  const grant = await created(admin, '/v1/access-grants', {
    ...{ project_id, reason: 'A look', scope: ['logs'], notify: ['ada@example.com'] },
    ends_at: `${new Date(Date.now() + 3_600_000).toISOString().slice(0, 19)}Z`,
  });
  const principal = await asker(await addOperator(given, ['core_crew']));
  const mayGoOn = stillGranted(given.context, grant.id, principal);
  assert.equal(await mayGoOn(), true);
  await change(principal.keyId, { scopes: ['operator'] });
  assert.equal(await mayGoOn(), false);
  await change(principal.keyId, { scopes: ['core_crew'], ends_at: new Date(Date.now() + 60_000) });
  assert.equal(await mayGoOn(), true);
  await change(principal.keyId, { ends_at: new Date() });
  assert.equal(await mayGoOn(), false);
});
