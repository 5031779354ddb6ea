import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { teamScopes } from '../../contract/token.ts';
import { describeApi, openOnPostgres } from '../../test/describe-api.ts';
import { createKey } from '../api-keys/create-key.ts';
import { browserOf, mailedToken } from '../people/browser-for-tests.ts';
import { changeRole, removeMember } from '../teams/change-member.ts';
import { invite, takeBack } from '../teams/invite.ts';
import { addTeam, signIn } from '../test-client.ts';
import type { TestContext } from '../test-context.ts';
import { toPrincipal } from './authenticate.ts';
import type { Principal } from './principal.ts';

/* A right is gone when what was asked by it is done: between the two another request took it. */

let count = 0;
const key = { name: 'way back', scopes: ['builds:read' as const] };
const somebody = () => `locked-${++count}@example.com`;
const ended = { status: 401, code: 'token_revoked' };

async function holder(given: TestContext): Promise<Principal> {
  const { token } = await signIn(given, await addTeam(given, `holders-${++count}`));
  const claims = await given.context.tokens.verify(token);
  assert.ok(claims);
  return toPrincipal(claims);
}

async function revoke({ context }: TestContext, { keyId }: Principal): Promise<void> {
  await context.database
    .updateTable('api_key')
    .set({ revoked_at: context.now() })
    .where('id', '=', keyId)
    .execute();
}

describeApi('who asks, as it is when what it asks is done', (given) => {
  /** A team, an owner in a browser, and what stands for that owner in a request. */
  async function openTeam() {
    const email = somebody();
    const browser = await browserOf(given(), email);
    const made = await browser.call('POST', '/v1/teams', { name: `crew-${++count}` });
    assert.equal(made.status, 201, made.text);
    const rows = await given()
      .context.database.selectFrom('team_member')
      .innerJoin('session', 'session.person_id', 'team_member.person_id')
      .select(['team_member.id', 'team_member.team_id', 'session.id as session'])
      .where('team_member.id', '=', made.body.member_id)
      .executeTakeFirstOrThrow();
    const owner: Principal = {
      ...{ keyId: rows.id, teamId: rows.team_id, sessionId: rows.session },
      scopes: [...teamScopes],
    };
    return { owner, team: made.body.name as string, call: browser.call };
  }
  /** Another owner of the team, who makes the first a viewer. */
  async function demote({ owner, team, call }: Awaited<ReturnType<typeof openTeam>>): Promise<string> {
    const email = somebody();
    const asked = { email, role: 'owner' };
    const headers = { 'ebb-team': team };
    assert.equal((await call('POST', '/v1/team/invitations', asked, headers)).status, 201);
    const token = await mailedToken(given(), email);
    const other = await browserOf(given(), email);
    const joined = await other.call('POST', '/v1/invitations/accept', { token });
    assert.equal(joined.status, 201, joined.text);
    const path = `/v1/team/members/${owner.keyId}`;
    assert.equal((await other.call('PATCH', path, { role: 'viewer' }, headers)).status, 200);
    return joined.body.member_id;
  }

  test('a key that was revoked makes no other', async () => {
    const principal = await holder(given());
    await revoke(given(), principal);
    await assert.rejects(createKey(given().context, principal, key), ended);
  });

  test('a key that lost a scope gives it to no other', async () => {
    const principal = await holder(given());
    await given()
      .context.database.updateTable('api_key')
      .set({ scopes: JSON.stringify(['keys:write']) as never })
      .where('id', '=', principal.keyId)
      .execute();
    await assert.rejects(createKey(given().context, principal, key), { status: 422 });
  });

  test('a key that was revoked invites nobody', async () => {
    const principal = await holder(given());
    await revoke(given(), principal);
    await assert.rejects(invite(given().context, principal, { email: somebody(), role: 'viewer' }), ended);
  });

  test('who is an owner no more invites, makes and removes none', async () => {
    const team = await openTeam();
    const invited = await team.call(
      ...(['POST', '/v1/team/invitations', { email: somebody(), role: 'owner' }] as const),
      { 'ebb-team': team.team },
    );
    assert.equal(invited.status, 201, invited.text);
    const other = await demote(team);
    const { context } = given();
    await assert.rejects(invite(context, team.owner, { email: somebody(), role: 'owner' }), { status: 422 });
    const self = { id: team.owner.keyId, role: 'owner' as const };
    await assert.rejects(changeRole(context, team.owner, self), { status: 422 });
    await assert.rejects(removeMember(context, team.owner, other), { status: 403 });
  });

  test('whose session has ended neither invites nor takes back', async () => {
    const { owner, team, call } = await openTeam();
    const asked = { email: somebody(), role: 'viewer' as const };
    const { body } = await call('POST', '/v1/team/invitations', asked, { 'ebb-team': team });
    assert.equal((await call('DELETE', '/v1/session')).status, 204);
    await assert.rejects(invite(given().context, owner, { email: somebody(), role: 'viewer' }), ended);
    await assert.rejects(takeBack(given().context, owner, body.id), ended);
  });
});

test('a revocation that is not finished is waited for', async (t) => {
  const given = await openOnPostgres(t);
  const principal = await holder(given);
  const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>();
  const { promise: begun, resolve: isBegun } = Promise.withResolvers<void>();
  const revoked = given.context.database.transaction().execute(async (database) => {
    await revoke({ ...given, context: { ...given.context, database } }, principal);
    isBegun();
    await mayEnd;
  });
  await begun;
  const made = createKey(given.context, principal, key).then(
    () => 'made',
    ({ code }) => code,
  );
  assert.equal(await Promise.race([made, sleep(300, 'waits')]), 'waits');
  end();
  await revoked;
  assert.equal(await made, 'token_revoked');
});
