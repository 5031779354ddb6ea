import assert from 'node:assert/strict';
import { afterEach, before, test } from 'node:test';
import { roles, scopesOfRole } from '../../contract/role.ts';
import { describeApi } from '../../test/describe-api.ts';
import { stillGood } from '../auth/require-scope.ts';
import { type Browser, browserOf, mailedToken, openBrowser } from '../people/browser-for-tests.ts';
import { type Client, declareProject, requestToken, signIn } from '../test-client.ts';

let count = 0;
const somebody = () => `member-${++count}@example.com`;

describeApi('people in teams', (given) => {
  let owner: Browser;
  const ofTeam = (team: string, more: object = {}) => ({ 'ebb-team': team, ...more });
  const inTeam = (browser: Browser, team: string) => ({
    token: '',
    call: (method: 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'PUT', url: string, body?: object) =>
      browser.call(method, url, body, ofTeam(team)),
  });
  /** A new person's team, with a browser of the owner. */
  const makeTeam = async (name: string, email = somebody()) => {
    const browser = await browserOf(given(), email);
    const made = await browser.call('POST', '/v1/teams', { name });
    assert.equal(made.status, 201, made.text);
    return { browser, email, memberId: made.body.member_id as string };
  };
  const invite = (by: Browser, team: string, email: string, role: string) =>
    by.call('POST', '/v1/team/invitations', { email, role }, ofTeam(team));
  const join = async (by: Browser, team: string, role: string, email = somebody()) => {
    const invited = await invite(by, team, email, role);
    assert.equal(invited.status, 201, invited.text);
    const token = await mailedToken(given(), email);
    const browser = await browserOf(given(), email);
    const joined = await browser.call('POST', '/v1/invitations/accept', { token });
    assert.equal(joined.status, 201, joined.text);
    return { browser, email, memberId: joined.body.member_id as string };
  };
  const moveTo = async (browser: Browser, from: string, to: string) => {
    await browser.call('POST', '/v1/person/email-change', { email: to });
    const before = given().mails.length;
    await mailedToken(given(), to);
    for (const mail of given()
      .mails.slice(before)
      .filter((sent) => [from, to].includes(sent.to))) {
      const token = mail.link?.split('#token=')[1];
      await browser.call('POST', '/v1/person/email-confirmation', { token });
    }
  };
  const rowsOf = async (keyId: string) => {
    const { id: sessionId } = await given()
      .context.database.selectFrom('session')
      .innerJoin('team_member', 'team_member.person_id', 'session.person_id')
      .select('session.id')
      .where('team_member.id', '=', keyId)
      .executeTakeFirstOrThrow();
    return { keyId, sessionId };
  };
  const trail = async (team: string) =>
    (
      await given()
        .context.database.selectFrom('audit_event')
        .innerJoin('team', 'team.id', 'audit_event.team_id')
        .select(['action', 'actor', 'subject'])
        .where('team.name', '=', team)
        .orderBy('seq')
        .execute()
    ).map(({ action, actor, subject }) => [action, actor, subject]);

  before(async () => {
    owner = (await makeTeam('crew')).browser;
  });
  afterEach(() => {
    given().context.now = () => new Date();
    given().context.signUp = 'open';
  });

  test('who makes a team owns it, and works in it by naming it', async () => {
    const { browser } = await makeTeam('makers');
    const client = inTeam(browser, 'makers') as unknown as Client;
    const { id } = await declareProject(given(), client);
    assert.equal((await client.call('GET', `/v1/projects/${id}`)).body.team, 'makers');
    assert.deepEqual((await browser.call('GET', '/v1/teams')).body.items.length, 1);
    const unnamed = await browser.call('GET', '/v1/projects');
    assert.deepEqual([unnamed.status, unnamed.body.code], [400, 'team_required']);
    const taken = await owner.call('POST', '/v1/teams', { name: 'makers' });
    assert.deepEqual([taken.status, taken.body.code], [409, 'name_taken']);
  });

  test('names of teams hold no line breaks, no look-alikes, and none of Ebb itself', async () => {
    for (const name of ['ebb-operators', 'ebb', 'a\r\nBcc: x', 'crеw', 'Crew', 'crew ', '']) {
      const answer = await owner.call('POST', '/v1/teams', { name });
      assert.equal(answer.status, 422, name);
    }
  });

  test('an invitation goes to one address and adds nothing to the mail', async () => {
    const before = given().mails.length;
    for (const email of [
      'ada@example.com\r\nBcc: eve@example.com',
      'ada@example.com,eve@example.com',
      '"ada eve@example.com"@example.com',
      'аda@example.com',
    ])
      assert.equal((await invite(owner, 'crew', email, 'viewer')).status, 422, email);
    assert.equal((await invite(owner, 'crew', somebody(), 'admin')).status, 422, 'no such role');
    const odd = "o'hara+{link}&=`|~@example.com";
    assert.equal((await invite(owner, 'crew', odd, 'viewer')).status, 201);
    await mailedToken(given(), odd);
    const [mail, ...more] = given().mails.slice(before);
    assert.deepEqual([mail?.to, more], [odd, []]);
    assert.equal(mail?.text.split('#token=').length, 2);
  });

  test('each role may do what its line of the table says, and nothing else', async () => {
    const project = await declareProject(given(), inTeam(owner, 'crew') as unknown as Client);
    const ends_at = `${new Date(Date.now() + 3_600_000).toISOString().slice(0, 19)}Z`;
    const grant = { reason: 'A look', scope: ['logs'], notify: ['ada@example.com'], ends_at };
    const trust = { issuer: 'https://ci.example.com', audience: 'ebb', claims: { sub: 'shop' } };
    const key = { name: 'key', scopes: ['builds:read'] };
    const tries = [
      ['projects:read', 'GET', `/v1/projects/${project.id}`],
      ['builds:read', 'GET', '/v1/builds'],
      ['receipts:read', 'GET', '/v1/receipts'],
      ['audit:read', 'GET', '/v1/audit-events'],
      ['members:read', 'GET', '/v1/team/members'],
      ['keys:read', 'GET', '/v1/api-keys'],
      ['projects:write', 'PATCH', `/v1/projects/${project.id}`, {}],
      ['builds:write', 'POST', '/v1/builds', { project_id: project.id, branch: 'main' }],
      ['builds:approve', 'POST', '/v1/builds/bld_none/approve'],
      ['grants:write', 'POST', '/v1/access-grants', grant],
      ['keys:write', 'POST', '/v1/api-keys', key],
      ['keys:write', 'POST', '/v1/workload-identities', { ...trust, ...key }],
      ['members:write', 'POST', '/v1/team/invitations', { email: somebody(), role: 'viewer' }],
      ['members:write', 'PATCH', '/v1/team/members/mem_none', { role: 'viewer' }],
      ['team:revoke', 'POST', '/v1/team/revoke', { name: 'another' }],
    ] as const;
    for (const role of roles) {
      const { browser } = await join(owner, 'crew', role);
      for (const [scope, method, url, payload] of tries) {
        const { status, body } = await browser.call(method, url, payload, ofTeam('crew'));
        const isRefused = status === 403 && body.code === 'insufficient_scope';
        assert.equal(!isRefused, scopesOfRole[role].includes(scope), `${role} ${method} ${url}: ${status}`);
      }
      for (const url of ['/v1/operator/overview', '/v1/key-rotations']) {
        const { status } = await browser.call('GET', url, undefined, ofTeam('crew'));
        assert.ok([403, 404].includes(status), `${role} ${url}: ${status}`);
      }
    }
  });

  test('another team looks as if it were not there, at every place', async () => {
    const { memberId } = await makeTeam('others');
    const stranger = await makeTeam('strangers');
    const invitation = (await invite(owner, 'crew', somebody(), 'viewer')).body.id;
    const project = await declareProject(given(), inTeam(owner, 'crew') as unknown as Client);
    for (const team of ['others', 'crew', 'acme', 'ebb-operators', 'nowhere', "x' or 1=1"]) {
      const answer = await stranger.browser.call('GET', '/v1/projects', undefined, ofTeam(team));
      assert.deepEqual([answer.status, answer.body.code], [404, 'not_found'], team);
    }
    const inOwn = inTeam(stranger.browser, 'strangers');
    for (const [method, url, body] of [
      ['PATCH', `/v1/team/members/${memberId}`, { role: 'viewer' }],
      ['DELETE', `/v1/team/members/${memberId}`, undefined],
      ['DELETE', `/v1/team/invitations/${invitation}`, undefined],
      ['GET', `/v1/projects/${project.id}`, undefined],
      ['DELETE', `/v1/projects/${project.id}`, undefined],
    ] as const)
      assert.equal((await inOwn.call(method, url, body)).status, 404, `${method} ${url}`);
  });

  test('an invitation is for its address, once, for a week, unless it is taken back or made anew', async () => {
    const email = somebody();
    assert.equal((await invite(owner, 'crew', email.toUpperCase(), 'viewer')).body.email, email);
    const first = await mailedToken(given(), email);
    const { id } = (await invite(owner, 'crew', email, 'maintainer')).body;
    const second = await mailedToken(given(), email);
    const invited = await browserOf(given(), email);
    const other = await browserOf(given(), somebody());
    const accept = (browser: Browser, token: string | undefined) =>
      browser.call('POST', '/v1/invitations/accept', { token });
    assert.equal((await accept(openBrowser(given()), second)).status, 401, 'nobody signed in');
    assert.equal((await accept(other, second)).status, 404, 'another address');
    assert.equal((await accept(invited, first)).status, 404, 'made anew');
    given().context.now = () => new Date(Date.now() + 7 * 24 * 3_600_000 + 1000);
    assert.equal((await accept(await browserOf(given(), email), second)).status, 404, 'expired');
    given().context.now = () => new Date();
    assert.equal((await accept(invited, second)).status, 201);
    assert.equal((await accept(invited, second)).status, 404, 'reused');
    const again = await invite(owner, 'crew', email, 'owner');
    assert.deepEqual([again.status, again.body.code], [409, 'already_member']);
    const back = somebody();
    const taken = (await invite(owner, 'crew', back, 'viewer')).body.id;
    const token = await mailedToken(given(), back);
    assert.equal(
      (await owner.call('DELETE', `/v1/team/invitations/${taken}`, undefined, ofTeam('crew'))).status,
      204,
    );
    assert.equal((await accept(await browserOf(given(), back), token)).status, 404, 'taken back');
    const listed = await owner.call('GET', '/v1/team/invitations?limit=200', undefined, ofTeam('crew'));
    assert.ok(listed.body.items.find((item: { id: string }) => item.id === id).accepted_at);
    for (const secret of [first, second, token]) assert.ok(!listed.text.includes(secret ?? '-'));
  });

  test('by invitation only, who was invited may sign up and nobody else', async () => {
    given().context.signUp = 'invited';
    const [invited, other] = [somebody(), somebody()];
    await invite(owner, 'crew', invited, 'viewer');
    await mailedToken(given(), invited);
    await browserOf(given(), invited);
    await openBrowser(given()).call('POST', '/v1/sign-in', { email: other });
    assert.equal(await mailedToken(given(), other), undefined);
  });

  test('a change of role, a removal and a sign-out count at once', async () => {
    const member = await join(owner, 'crew', 'maintainer');
    const client = inTeam(member.browser, 'crew');
    const ownPath = `/v1/team/members/${member.memberId}`;
    const build = () => client.call('POST', '/v1/builds/bld_none/cancel');
    assert.equal((await build()).status, 404, 'there only is no such build');
    await owner.call('PATCH', ownPath, { role: 'viewer' }, ofTeam('crew'));
    assert.equal((await build()).status, 403);
    assert.equal((await client.call('PATCH', ownPath, { role: 'owner' })).status, 403);
    assert.equal((await client.call('GET', '/v1/projects')).status, 200);
    await owner.call('DELETE', ownPath, undefined, ofTeam('crew'));
    assert.equal((await client.call('GET', '/v1/projects')).status, 404);
    assert.deepEqual((await member.browser.call('GET', '/v1/teams')).body.items, []);
    const other = await join(owner, 'crew', 'viewer');
    const cookie = [...other.browser.cookies].map((pair) => pair.join('=')).join('; ');
    await other.browser.call('DELETE', '/v1/session');
    const after = await other.browser.call('GET', '/v1/projects', undefined, ofTeam('crew', { cookie }));
    assert.equal(after.status, 401);
  });

  test('who is removed, or no owner any more, comes back by no invitation of his own', async () => {
    for (const [method, body] of [
      ['DELETE', undefined],
      ['PATCH', { role: 'maintainer' }],
    ] as const) {
      const insider = await join(owner, 'crew', 'owner');
      const second = somebody();
      await invite(insider.browser, 'crew', second, 'owner');
      const token = await mailedToken(given(), second);
      await owner.call(method, `/v1/team/members/${insider.memberId}`, body, ofTeam('crew'));
      const back = await (await browserOf(given(), second)).call('POST', '/v1/invitations/accept', { token });
      assert.equal(back.status, 404, method);
    }
  });

  test('an invitation ends with the key that it came from', async () => {
    const { browser } = await makeTeam('lost-key');
    const scopes = [...scopesOfRole.owner];
    const made = await browser.call('POST', '/v1/api-keys', { name: 'stolen', scopes }, ofTeam('lost-key'));
    const thief = await signIn(given(), made.body.secret);
    const email = somebody();
    const invited = await thief.call('POST', '/v1/team/invitations', { email, role: 'owner' });
    assert.equal(invited.status, 201, invited.text);
    const token = await mailedToken(given(), email);
    await browser.call('DELETE', `/v1/api-keys/${made.body.id}`, undefined, ofTeam('lost-key'));
    const accepted = await (await browserOf(given(), email)).call('POST', '/v1/invitations/accept', {
      token,
    });
    assert.equal(accepted.status, 404);
  });

  test('where nobody new may sign in, nobody new is invited', async () => {
    const { browser } = await makeTeam('closed-shop');
    given().context.signUp = 'closed';
    const refused = await invite(browser, 'closed-shop', somebody(), 'viewer');
    assert.deepEqual([refused.status, refused.body.code], [409, 'sign_up_closed']);
    assert.match(refused.body.detail, /EBB_SIGN_UP/);
  });

  test('members change while others write into the trail of the team, and neither is refused', async () => {
    const { browser } = await makeTeam('busy');
    const { body } = await browser.call(
      ...(['POST', '/v1/api-keys', { name: 'ci', scopes: ['builds:read'] }, ofTeam('busy')] as const),
    );
    const token = () => requestToken(given(), { client_secret: body.secret });
    const work = Array.from({ length: 10 }, () => [invite(browser, 'busy', somebody(), 'viewer'), token()]);
    const statuses = (await Promise.all(work.flat())).map(({ status }) => status);
    assert.deepEqual(new Set(statuses), new Set([200, 201]));
  });

  test('a stream under way ends when its member is removed', async () => {
    const member = await join(owner, 'crew', 'viewer');
    const { sessionId, keyId } = await rowsOf(member.memberId);
    const { id: teamId } = await given()
      .context.database.selectFrom('team')
      .select('id')
      .where('name', '=', 'crew')
      .executeTakeFirstOrThrow();
    const stillReads = (asks: { keyId: string; sessionId?: string }) =>
      stillGood(given().context, { ...asks, teamId, scopes: ['logs:read'] }, 'logs:read');
    const mayGoOn = stillReads({ keyId, sessionId });
    assert.equal(await mayGoOn(), true);
    assert.equal(await stillReads({ keyId })(), false, 'a membership is good with a session alone');
    await owner.call('DELETE', `/v1/team/members/${member.memberId}`, undefined, ofTeam('crew'));
    assert.equal(await mayGoOn(), false);
    const other = await join(owner, 'crew', 'viewer');
    const goesOn = stillReads(await rowsOf(other.memberId));
    assert.equal(await goesOn(), true);
    await other.browser.call('DELETE', '/v1/session');
    assert.equal(await goesOn(), false, 'signed out');
  });

  test('the last owner stays: no leaving, no removal, no lesser role, no deletion, until another is named', async () => {
    const { browser, email, memberId } = await makeTeam('lonely');
    const client = inTeam(browser, 'lonely');
    const path = `/v1/team/members/${memberId}`;
    for (const { status, body } of [
      await client.call('DELETE', path),
      await client.call('PATCH', path, { role: 'viewer' }),
      await browser.call('DELETE', '/v1/person', { email }),
    ])
      assert.deepEqual([status, body.code], [409, 'last_owner']);
    const wrong = await browser.call('DELETE', '/v1/person', { email: somebody() });
    assert.equal(wrong.status, 422);
    const second = await join(browser, 'lonely', 'owner');
    assert.equal((await browser.call('DELETE', '/v1/person', { email })).status, 204);
    const members = await inTeam(second.browser, 'lonely').call('GET', '/v1/team/members');
    assert.deepEqual(
      members.body.items.map((member: { email: string }) => member.email),
      [second.email],
    );
    const anew = await browserOf(given(), email);
    assert.deepEqual((await anew.call('GET', '/v1/teams')).body.items, [], 'the address is another person');
  });

  test('two owners who leave at once leave one of them', async () => {
    const one = await makeTeam('pair');
    const two = await join(one.browser, 'pair', 'owner');
    const leaving = [one, two].map(({ browser, memberId }) =>
      inTeam(browser, 'pair').call('DELETE', `/v1/team/members/${memberId}`),
    );
    const statuses = (await Promise.all(leaving)).map(({ status }) => status);
    assert.deepEqual(statuses.sort(), [204, 409]);
  });

  test('nobody invites to, or gives, a role with more than his own', async () => {
    const admin = await signIn(given(), given().keys.admin, { scope: 'members:read members:write' });
    const answer = await admin.call('POST', '/v1/team/invitations', { email: somebody(), role: 'viewer' });
    assert.deepEqual([answer.status, answer.body.errors[0].pointer], [422, '#/role']);
  });

  test('a key invites the first owner, who makes keys, and who is stopped when the cookie comes from elsewhere', async () => {
    const admin = await signIn(given(), given().keys.admin);
    const email = somebody();
    const invited = await admin.call('POST', '/v1/team/invitations', { email, role: 'owner' });
    assert.equal(invited.status, 201, invited.text);
    const token = await mailedToken(given(), email);
    const browser = await browserOf(given(), email);
    assert.equal((await browser.call('POST', '/v1/invitations/accept', { token })).status, 201);
    const key = { name: 'laptop', scopes: ['builds:read'] };
    const foreign = ofTeam('acme', { origin: 'https://evil.example' });
    const stopped = await browser.call('POST', '/v1/api-keys', key, foreign);
    assert.deepEqual([stopped.status, stopped.body.code], [403, 'wrong_origin']);
    const repeated = ofTeam('acme', { 'idempotency-key': 'one' });
    const [first, second] = [
      await browser.call('POST', '/v1/api-keys', key, repeated),
      await browser.call('POST', '/v1/api-keys', key, repeated),
    ];
    assert.equal(first.status, 201, first.text);
    assert.equal(second.body.id, first.body.id);
    assert.match(first.body.created_by, /^mem_/);
    const listed = (await admin.call('GET', '/v1/api-keys?limit=200')).body.items;
    assert.ok(
      listed.every(({ id }: { id: string }) => id.startsWith('key_')),
      'members are no keys',
    );
  });

  test('what happens to members stands in the team’s trail, with who did it', async () => {
    const { browser, memberId } = await makeTeam('audited');
    const member = await join(browser, 'audited', 'viewer');
    const client = inTeam(browser, 'audited');
    await client.call('PATCH', `/v1/team/members/${member.memberId}`, { role: 'maintainer' });
    await inTeam(member.browser, 'audited').call('DELETE', `/v1/team/members/${member.memberId}`);
    const removed = await join(browser, 'audited', 'viewer');
    await client.call('DELETE', `/v1/team/members/${removed.memberId}`);
    const moved = await join(browser, 'audited', 'viewer');
    await moveTo(moved.browser, moved.email, somebody());
    const email = (await moved.browser.call('GET', '/v1/person')).body.email;
    assert.equal((await moved.browser.call('DELETE', '/v1/person', { email })).status, 204);
    const entries = await trail('audited');
    const invitation = entries[1]?.[2];
    assert.deepEqual(entries.slice(1), [
      ['invitation.created', memberId, invitation],
      ['team_member.joined', member.memberId, member.memberId],
      ['team_member.role_changed', memberId, member.memberId],
      ['team_member.left', member.memberId, member.memberId],
      ['invitation.created', memberId, entries[5]?.[2]],
      ['team_member.joined', removed.memberId, removed.memberId],
      ['team_member.removed', memberId, removed.memberId],
      ['invitation.created', memberId, entries[8]?.[2]],
      ['team_member.joined', moved.memberId, moved.memberId],
      ['team_member.address_changed', moved.memberId, moved.memberId],
      ['team_member.left', moved.memberId, moved.memberId],
    ]);
    assert.deepEqual(entries[0]?.slice(0, 2), ['team.created', memberId]);
  });

  test('an owner revokes the team by name, follows it, and the others are out', async () => {
    const { browser } = await makeTeam('ending');
    const other = await join(browser, 'ending', 'maintainer');
    const client = inTeam(browser, 'ending');
    const asked = await client.call('POST', '/v1/team/revoke', { name: 'ending' });
    assert.equal(asked.status, 200, asked.text);
    assert.equal((await client.call('GET', `/v1/revocations/${asked.body.id}`)).status, 200);
    assert.equal((await client.call('POST', '/v1/builds/bld_none/cancel')).status, 401);
    assert.equal((await inTeam(other.browser, 'ending').call('GET', '/v1/projects')).status, 404);
  });
});
