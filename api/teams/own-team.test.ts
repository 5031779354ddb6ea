import assert from 'node:assert/strict';
import { before, beforeEach, test } from 'node:test';
import { type Scope, teamScopes } from '../../contract/token.ts';
import { describeApi, openOnPostgres } from '../../test/describe-api.ts';
import { createApiKey } from '../auth/api-key.ts';
import { untilSomebodyWaits } from '../db/lock-for-tests.ts';
import { browserOf } from '../people/browser-for-tests.ts';
import {
  addOperator,
  addTeam,
  type Client,
  created,
  declareBuildableProject,
  signIn,
} from '../test-client.ts';

const initial = { paused_by_team: null, limit_by_team: null, deletion_protection: true };
let count = 0;

describeApi('what a team says of itself', (given) => {
  let admin: Client;
  before(async () => {
    admin = await signIn(given(), given().keys.admin);
  });
  beforeEach(async () => {
    assert.equal((await admin.call('PATCH', '/v1/team', initial)).status, 200);
  });
  const another = async () => await signIn(given(), await addTeam(given(), `own-${++count}`));
  const keyWith = async (scopes: readonly Scope[]) => {
    const { database, now } = given().context;
    const { id: teamId } = await database
      .selectFrom('team')
      .select('id')
      .where('name', '=', 'acme')
      .executeTakeFirstOrThrow();
    const key = { teamId, name: 'key', scopes: [...scopes], now: now() };
    return await signIn(given(), await createApiKey(database, key));
  };

  test('a token reads its own team, by an ETag that a change needs to be of', async () => {
    const { body, headers } = await admin.call('GET', '/v1/team');
    assert.partialDeepStrictEqual(body, { name: 'acme', deletion_protection: true });
    assert.ok(!('paused_by_team' in body) && !('limit_by_team' in body));
    assert.equal((await (await another()).call('GET', '/v1/team')).body.name, `own-${count}`);
    assert.equal((await admin.call('PATCH', '/v1/team', { limit_by_team: 7 })).body.limit_by_team, 7);
    const late = await admin.call(
      'PATCH',
      '/v1/team',
      { limit_by_team: 8 },
      { 'if-match': `${headers.etag}` },
    );
    assert.equal(late.status, 412);
  });

  test('of the limits of team and operator the smaller one counts, at once', async () => {
    const operator = await signIn(given(), await addOperator(given(), ['operator']));
    const { id } = await declareBuildableProject(given(), admin, { concurrency: 100 });
    const { queue } = given().context;
    for (const { build } of await queue.list()) await queue.forget(build);
    for (let made = 0; made < 4; made += 1) await created(admin, '/v1/builds', { project_id: id });
    const claim = async () => (await queue.claim(`r/${crypto.randomUUID()}`, 60_000))?.build;
    await admin.call('PATCH', '/v1/team', { limit_by_team: 1 });
    await operator.call('PATCH', '/v1/operator/teams/acme', { limit: 5 });
    assert.ok(await claim());
    assert.equal(await claim(), undefined);
    assert.partialDeepStrictEqual((await admin.call('GET', '/v1/team/share')).body, {
      ...{ limit: 5, limit_by_team: 1 },
    });
    await admin.call('PATCH', '/v1/team', { limit_by_team: null });
    assert.ok(await claim());
    await operator.call('PATCH', '/v1/operator/teams/acme', { limit: 2 });
    await admin.call('PATCH', '/v1/team', { limit_by_team: 100 });
    assert.equal(await claim(), undefined, 'a team takes no more than the operator gives');
    await operator.call('PATCH', '/v1/operator/teams/acme', { limit: null });
  });

  test('a pause is the same whether it is declared or asked for', async () => {
    await admin.call('PATCH', '/v1/team', { paused_by_team: 'A move.' });
    assert.equal((await admin.call('GET', '/v1/team/share')).body.paused_by_team, 'A move.');
    await admin.call('DELETE', '/v1/team/pause');
    assert.ok(!('paused_by_team' in (await admin.call('GET', '/v1/team')).body));
  });

  test('a team keeps its name, and what is no limit or no sentence is refused at its field', async () => {
    for (const [change, pointer] of [
      [{ name: 'renamed' }, '#/name'],
      [{ limit_by_team: 0 }, '#/limit_by_team'],
      [{ paused_by_team: 'a\nb' }, '#/paused_by_team'],
    ] as const) {
      const answer = await admin.call('PATCH', '/v1/team', change);
      assert.deepEqual([answer.status, answer.body.errors[0].pointer], [422, pointer]);
    }
  });

  test('a change stands in the audit trail with who did it, and one that changes nothing does not', async () => {
    const key = await keyWith(teamScopes);
    const entries = async () =>
      (await admin.call('GET', '/v1/audit-events?limit=100')).body.items.filter(
        ({ action }: { action: string }) => action === 'team.changed',
      );
    const before = (await entries()).length;
    for (let time = 0; time < 2; time += 1) await key.call('PATCH', '/v1/team', { limit_by_team: 9 });
    const [entry, ...more] = (await entries()).slice(0, (await entries()).length - before);
    assert.deepEqual([entry.detail, more], [{ limit_by_team: 9 }, []]);
  });

  test('it takes projects:write to change it, and team:revoke to end its protection', async () => {
    const reader = await keyWith(['projects:read']);
    assert.equal((await reader.call('PATCH', '/v1/team', { limit_by_team: 3 })).status, 403);
    const writer = await keyWith(['projects:read', 'projects:write']);
    assert.equal((await writer.call('PATCH', '/v1/team', { limit_by_team: 3 })).status, 200);
    const open = await writer.call('PATCH', '/v1/team', { deletion_protection: false });
    assert.deepEqual([open.status, open.body.code], [403, 'insufficient_scope']);
    assert.match(open.body.detail, /team:revoke/);
  });

  test('a team is deleted without its protection alone, with a receipt, and again with the same', async () => {
    const client = await another();
    const refused = await client.call('DELETE', '/v1/team');
    assert.deepEqual([refused.status, refused.body.code], [409, 'deletion_protected']);
    assert.equal((await client.call('GET', '/v1/projects')).status, 200, 'nothing was revoked');
    await client.call('PATCH', '/v1/team', { deletion_protection: false });
    const deleted = await client.call('DELETE', '/v1/team');
    assert.equal(deleted.status, 204, deleted.text);
    const receipt = `${deleted.headers['ebb-receipt']}`;
    assert.equal((await client.call('GET', `/v1/receipts/${receipt}`)).status, 200);
    assert.equal((await client.call('DELETE', '/v1/team')).headers['ebb-receipt'], receipt);
    assert.equal((await client.call('GET', '/v1/team')).status, 404);
  });

  test('who revoked a team reads its receipts, leaves it when he wants, and is not counted in it', async () => {
    const email = 'many-teams@example.com';
    const browser = await browserOf(given(), email);
    const make = (name: string) => browser.call('POST', '/v1/teams', { name });
    const names = async () =>
      (await browser.call('GET', '/v1/teams')).body.items.map(({ name }: { name: string }) => name);
    for (let number = 1; number <= 20; number += 1) assert.equal((await make(`many-${number}`)).status, 201);
    assert.equal((await make('many-21')).body.code, 'too_many_teams');
    const inFirst = { 'ebb-team': 'many-1' };
    const { member_id: id } = (await browser.call('GET', '/v1/teams')).body.items.find(
      ({ name }: { name: string }) => name === 'many-1',
    );
    const revoked = await browser.call('POST', '/v1/team/revoke', { name: 'many-1' }, inFirst);
    assert.equal(revoked.status, 200, revoked.text);
    assert.equal((await make('many-21')).status, 201, 'it counts no more');
    assert.ok((await names()).includes('many-1'), 'its receipts can be read');
    assert.equal((await browser.call('GET', '/v1/receipts', undefined, inFirst)).status, 200);
    const left = await browser.call('DELETE', `/v1/team/members/${id}`, undefined, inFirst);
    assert.equal(left.status, 204, left.text);
    assert.ok(!(await names()).includes('many-1'));
    assert.equal((await browser.call('GET', '/v1/receipts', undefined, inFirst)).status, 404);
  });

  test('a revoked team that nobody left is listed for as long as its receipts can be read', async () => {
    const browser = await browserOf(given(), 'forgetful@example.com');
    await browser.call('POST', '/v1/teams', { name: 'forgotten' });
    const inIt = { 'ebb-team': 'forgotten' };
    await browser.call('POST', '/v1/team/revoke', { name: 'forgotten' }, inIt);
    assert.equal((await browser.call('GET', '/v1/teams')).body.items.length, 1);
    given().context.now = () => new Date(Date.now() + 8 * 86_400_000);
    try {
      const later = await browserOf(given(), 'forgetful@example.com');
      assert.deepEqual((await later.call('GET', '/v1/teams')).body.items, []);
    } finally {
      given().context.now = () => new Date();
    }
  });
});

test('who changes the limit leaves alone what somebody else sets at the same moment', async (t) => {
  const given = await openOnPostgres(t);
  const admin = await signIn(given, given.keys.admin);
  const set = { deletion_protection: false };
  assert.equal((await admin.call('PATCH', '/v1/team', set)).status, 200);
  const narrow = await signIn(given, given.keys.admin, { scope: 'projects:write projects:read' });
  const changed = await given.context.database.transaction().execute(async (owner) => {
    await owner
      .updateTable('team')
      .set({ deletion_protection: true, paused_by_team: 'A move.' })
      .where('name', '=', 'acme')
      .execute();
    const asked = narrow.call('PATCH', '/v1/team', { limit_by_team: 7 });
    await untilSomebodyWaits(given.context.database);
    return { asked };
  });
  assert.equal((await changed.asked).status, 200);
  assert.partialDeepStrictEqual((await admin.call('GET', '/v1/team')).body, {
    ...{ deletion_protection: true, paused_by_team: 'A move.', limit_by_team: 7 },
  });
  // So is the right to end the protection judged by what it is then.
  assert.equal((await admin.call('PATCH', '/v1/team', { deletion_protection: false })).status, 200);
  const protecting = await given.context.database.transaction().execute(async (owner) => {
    await owner.updateTable('team').set({ deletion_protection: true }).where('name', '=', 'acme').execute();
    const asked = narrow.call('PATCH', '/v1/team', { deletion_protection: false, limit_by_team: 8 });
    await untilSomebodyWaits(given.context.database);
    return { asked };
  });
  assert.equal((await protecting.asked).status, 403);
  assert.equal((await admin.call('GET', '/v1/team')).body.limit_by_team, 7);
});
