import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { scopesOfRole } from '../../contract/role.ts';
import type { TeamMember } from '../../contract/team-member.ts';
import { type Scope, teamScopes } from '../../contract/token.ts';
import { describeApi, openOnPostgres } from '../../test/describe-api.ts';
import { createApiKey } from '../auth/api-key.ts';
import { untilSomebodyWaits } from '../db/lock-for-tests.ts';
import { browserOf, mailedToken } from '../people/browser-for-tests.ts';
import { addTeam, type Client, created, signIn } from '../test-client.ts';
import { insertMember, lockMembers } from './member-store.ts';

let count = 0;
let places = 0;
const somebody = () => `one-${++count}@example.com`;
const members = '/v1/team/members';
const week = 7 * 24 * 3_600_000;

describeApi('members as one thing from the invitation on', (given) => {
  let admin: Client;
  let place: string;
  const keyWith = async (scopes: readonly Scope[]) => {
    const { context } = given();
    const { id: teamId } = await context.database
      .selectFrom('team')
      .select('id')
      .where('name', '=', 'acme')
      .executeTakeFirstOrThrow();
    const key = { teamId, name: 'narrow', scopes: [...scopes], now: context.now() };
    return await signIn(given(), await createApiKey(context.database, key), {}, place);
  };
  const declare = async (role: string, email = somebody()): Promise<TeamMember> => {
    const answer = await admin.call('POST', members, { email, role });
    assert.equal(answer.status, 201, answer.text);
    return answer.body;
  };
  const join = async (email: string) => {
    const token = await mailedToken(given(), email);
    const browser = await browserOf(given(), email);
    const joined = await browser.call('POST', '/v1/invitations/accept', { token });
    assert.equal(joined.status, 201, joined.text);
    return joined.body.member_id as string;
  };
  const find = async (email: string) =>
    (await admin.call('GET', `${members}?natural_id=acme/${encodeURIComponent(email)}`)).body.items;

  // Each test at a place of its own: mails from one place are limited.
  beforeEach(async () => {
    place = `203.0.113.${++places}`;
    admin = await signIn(given(), given().keys.admin, {}, place);
  });
  afterEach(() => {
    given().context.now = () => new Date();
  });

  test('who is invited has the id that the membership will have, and is found by the address', async () => {
    const made = await declare('viewer');
    assert.partialDeepStrictEqual(made, { role: 'viewer', status: 'invited', team: 'acme' });
    assert.deepEqual(await find(made.email.toUpperCase()), [made]);
    assert.equal(await join(made.email), made.id);
    const [member] = await find(made.email);
    assert.partialDeepStrictEqual(member, {
      id: made.id,
      status: 'member',
      role: 'viewer',
      expires_at: null,
    });
    assert.equal((await admin.call('GET', `${members}/${made.id}`)).body.status, 'member');
  });

  test('who is in the team or invited is not invited by a declaration, which says how to import him', async () => {
    const { email } = await declare('viewer');
    const invited = await admin.call('POST', members, { email, role: 'maintainer' });
    assert.deepEqual([invited.status, invited.body.code], [409, 'already_invited']);
    assert.match(invited.body.detail, new RegExp(`terraform import ebb_team_member.NAME acme/${email}`));
    await join(email);
    const member = await admin.call('POST', members, { email, role: 'maintainer' });
    assert.deepEqual([member.status, member.body.code], [409, 'already_member']);
    assert.equal((await find(email))[0].role, 'viewer', 'nothing was changed');
  });

  test('another role of an invitation is mailed anew: the link of before opens nothing', async () => {
    const { email, id } = await declare('viewer');
    const old = await mailedToken(given(), email);
    const changed = await admin.call('PATCH', `${members}/${id}`, { role: 'maintainer' });
    assert.partialDeepStrictEqual(changed.body, { id, role: 'maintainer', status: 'invited' });
    const token = await mailedToken(given(), email);
    const browser = await browserOf(given(), email);
    assert.equal((await browser.call('POST', '/v1/invitations/accept', { token: old })).status, 404);
    const joined = await browser.call('POST', '/v1/invitations/accept', { token });
    assert.deepEqual([joined.body.member_id, joined.body.role], [id, 'maintainer']);
  });

  test('the same role again mails nothing', async () => {
    const { email, id } = await declare('viewer');
    await mailedToken(given(), email);
    assert.equal((await admin.call('PATCH', `${members}/${id}`, { role: 'viewer' })).status, 200);
    assert.equal(await mailedToken(given(), email), undefined);
  });

  test('a change of what somebody else changed meanwhile is refused', async () => {
    const { id } = await declare('viewer');
    const { etag } = (await admin.call('GET', `${members}/${id}`)).headers;
    assert.equal((await admin.call('PATCH', `${members}/${id}`, { role: 'maintainer' })).status, 200);
    const late = await admin.call('PATCH', `${members}/${id}`, { role: 'viewer' }, { 'if-match': `${etag}` });
    assert.deepEqual([late.status, late.body.code], [412, 'changed_meanwhile']);
  });

  test('an invitation that ran out, or was taken back, is gone and says so; another one can be made', async () => {
    const { email, id } = await declare('viewer');
    given().context.now = () => new Date(Date.now() + week + 1000);
    const later = await signIn(given(), given().keys.admin, {}, place);
    const over = await later.call('GET', `${members}/${id}`);
    assert.deepEqual([over.status, over.body.code], [404, 'invitation_over']);
    assert.match(over.body.detail, new RegExp(`The invitation of ${email} ran out at 2`));
    const again = await created(later, members, { email, role: 'viewer' });
    assert.notEqual(again.id, id);
    assert.equal((await later.call('DELETE', `${members}/${again.id}`)).status, 204);
    const back = await later.call('GET', `${members}/${again.id}`);
    assert.match(back.body.detail, /was taken back/);
    assert.equal((await later.call('DELETE', `${members}/${again.id}`)).status, 404);
  });

  test('a repetition with the same Idempotency-Key invites once', async () => {
    const body = { email: somebody(), role: 'viewer' };
    const ask = () => admin.call('POST', members, body, { 'idempotency-key': 'member-once' });
    const [first, second] = [await ask(), await ask()];
    assert.deepEqual([first.status, second.status], [201, 201]);
    assert.equal(second.body.id, first.body.id);
  });

  test('an address that is not in lower case is refused where it is compared as text', async () => {
    const answer = await admin.call('POST', members, { email: 'Ada@example.com', role: 'viewer' });
    assert.deepEqual([answer.status, answer.body.errors[0].pointer], [422, '#/email']);
  });

  test('without owners:write nobody makes an owner, changes or removes one, or takes his invitation', async () => {
    const narrow = await keyWith(teamScopes.filter((scope) => scope !== 'owners:write'));
    const owner = await declare('owner');
    await join(owner.email);
    const invited = await declare('owner');
    for (const path of [members, '/v1/team/invitations']) {
      const made = await narrow.call('POST', path, { email: somebody(), role: 'owner' });
      assert.deepEqual([made.status, made.body.errors[0].pointer], [422, '#/role'], path);
    }
    const maintainer = await declare('maintainer');
    const raised = await narrow.call('PATCH', `${members}/${maintainer.id}`, { role: 'owner' });
    assert.deepEqual([raised.status, raised.body.errors[0].pointer], [422, '#/role']);
    for (const { id } of [owner, invited]) {
      for (const [method, body] of [
        ['PATCH', { role: 'viewer' }],
        ['DELETE', undefined],
      ] as const) {
        const answer = await narrow.call(method, `${members}/${id}`, body);
        assert.deepEqual([answer.status, answer.body.code], [403, 'insufficient_scope'], `${method} ${id}`);
        assert.match(answer.body.detail, /owners:write/);
      }
    }
    const invitation = invited.id.replace('mem_', 'inv_');
    assert.equal((await narrow.call('DELETE', `/v1/team/invitations/${invitation}`)).status, 403);
    const replaced = await narrow.call('POST', '/v1/team/invitations', {
      ...{ email: invited.email, role: 'viewer' },
    });
    assert.equal(replaced.status, 403, 'nor puts a lesser one in its place');
    assert.equal((await find(invited.email))[0].role, 'owner');
    const key = { name: 'more', scopes: ['owners:write'] };
    assert.equal((await narrow.call('POST', '/v1/api-keys', key)).status, 422, 'and makes no key that could');
    assert.equal((await narrow.call('DELETE', `${members}/${maintainer.id}`)).status, 204);
  });

  test('a key gives no role with more than it has itself', async () => {
    const forViewers = await keyWith([...scopesOfRole.viewer, 'members:write']);
    assert.equal((await forViewers.call('POST', members, { email: somebody(), role: 'viewer' })).status, 201);
    const more = await forViewers.call('POST', members, { email: somebody(), role: 'maintainer' });
    assert.deepEqual([more.status, more.body.errors[0].pointer], [422, '#/role']);
    assert.match(more.body.detail, /lacks projects:write/);
  });

  test('another team sees none of them, by id, by address or in a list', async () => {
    const { id, email } = await declare('viewer');
    const stranger = await signIn(given(), await addTeam(given(), 'member-strangers'));
    for (const [method, body] of [
      ['GET', undefined],
      ['PATCH', { role: 'maintainer' }],
      ['DELETE', undefined],
    ] as const) {
      const answer = await stranger.call(method, `${members}/${id}`, body);
      assert.deepEqual([answer.status, answer.body.code], [404, 'not_found'], method);
      assert.ok(!answer.text.includes(email));
    }
    for (const team of ['acme', 'member-strangers'])
      assert.deepEqual((await stranger.call('GET', `${members}?natural_id=${team}/${email}`)).body.items, []);
    assert.deepEqual((await stranger.call('GET', members)).body.items, []);
  });

  test('the list goes page by page over members and invited alike, each once', async () => {
    const all = (await admin.call('GET', `${members}?limit=200`)).body.items.map(
      ({ id }: { id: string }) => id,
    );
    const paged: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { body } = await admin.call('GET', `${members}?limit=2${cursor && `&cursor=${cursor}`}`);
      paged.push(...body.items.map(({ id }: { id: string }) => id));
      cursor = body.next_cursor;
    }
    assert.deepEqual(paged, all);
    assert.equal(new Set(paged).size, paged.length);
  });
});

test('who joins at the moment at which the declaration goes is out of the team all the same', async (t) => {
  const given = await openOnPostgres(t);
  const admin = await signIn(given, given.keys.admin);
  const email = somebody();
  await browserOf(given, email);
  const { id } = await created(admin, members, { email, role: 'viewer' });
  const { context } = given;
  const { id: personId } = await context.database
    .selectFrom('person')
    .select('id')
    .where('email', '=', email)
    .executeTakeFirstOrThrow();
  const removing = await context.database.transaction().execute(async (joining) => {
    const invitation = await joining
      .updateTable('invitation')
      .set({ accepted_at: context.now() })
      .where('email', '=', email)
      .returning('team_id')
      .executeTakeFirstOrThrow();
    await lockMembers(joining, invitation.team_id);
    const asked = admin.call('DELETE', `${members}/${id}`);
    await untilSomebodyWaits(context.database);
    const joined = { id, teamId: invitation.team_id, personId, role: 'viewer' as const, now: context.now() };
    await insertMember(joining, joined);
    return { asked };
  });
  assert.equal((await removing.asked).status, 204);
  const left = await admin.call('GET', `${members}?natural_id=acme/${encodeURIComponent(email)}`);
  assert.deepEqual(left.body.items, []);
});
