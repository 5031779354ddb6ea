import assert from 'node:assert/strict';
import { before, beforeEach, test } from 'node:test';
import { describeApi } from '../../test/describe-api.ts';
import { addTeam, type Client, declareProject, signIn } from '../test-client.ts';
import { endGrants } from './end-grant.ts';
import { giveGrant } from './give-grant.ts';

const hourMs = 3_600_000;
const inHours = (hours: number) => `${new Date(Date.now() + hours * hourMs).toISOString().slice(0, 19)}Z`;

describeApi('access grants, for the team that gives them', (given) => {
  let owner: Client;
  let projectId: string;
  before(async () => {
    owner = await signIn(given(), given().keys.admin);
  });
  beforeEach(async () => {
    projectId = (await declareProject(given(), owner)).id;
  });

  const body = (more: object = {}) => ({
    ...{ project_id: projectId, reason: 'A case', scope: ['logs'], notify: ['ada@example.com'] },
    ends_at: inHours(24),
    ...more,
  });
  const give = (more: object = {}, headers = {}) =>
    owner.call('POST', '/v1/access-grants', body(more), headers);
  const audited = async (id: string) => {
    const { items } = (await owner.call('GET', `/v1/audit-events?subject=${id}`)).body;
    return items.map(({ action }: { action: string }) => action).reverse();
  };

  test('a grant is given, read, listed, found by its name, prolonged and taken back', async () => {
    const { status, headers, body: grant } = await give();
    assert.equal(status, 201);
    assert.equal(headers.location, `/v1/access-grants/${grant.id}`);
    assert.partialDeepStrictEqual(grant, {
      ...body({ ends_at: grant.ends_at }),
      team: 'acme',
      ended_at: null,
    });
    const read = await owner.call('GET', `/v1/access-grants/${grant.id}`);
    assert.deepEqual(read.body, grant);
    const byName = await owner.call('GET', `/v1/access-grants?natural_id=acme/${grant.id}`);
    assert.deepEqual(byName.body.items, [grant]);
    const match = { 'if-match': String(read.headers.etag) };
    const later = { ends_at: inHours(48) };
    const changed = await owner.call('PATCH', `/v1/access-grants/${grant.id}`, later, match);
    assert.deepEqual([changed.status, changed.body], [200, { ...grant, ...later }]);
    const stale = await owner.call('PATCH', `/v1/access-grants/${grant.id}`, { ends_at: inHours(50) }, match);
    assert.equal(stale.status, 412);
    const shorter = await owner.call('PATCH', `/v1/access-grants/${grant.id}`, { ends_at: inHours(1) });
    assert.equal(shorter.status, 200);
    assert.equal((await owner.call('DELETE', `/v1/access-grants/${grant.id}`)).status, 204);
    assert.equal((await owner.call('GET', `/v1/access-grants/${grant.id}`)).status, 404);
    assert.equal((await owner.call('DELETE', `/v1/access-grants/${grant.id}`)).status, 404);
    const trail = ['given', 'changed', 'changed', 'taken_back'].map((word) => `access_grant.${word}`);
    assert.deepEqual(await audited(grant.id), trail);
  });

  test('the same request twice gives one grant', async () => {
    const key = { 'idempotency-key': `grant ${projectId}` };
    const until = { ends_at: inHours(24) };
    const [first, second] = [await give(until, key), await give(until, key)];
    assert.equal(first.body.id, second.body.id);
    const { items } = (await owner.call('GET', `/v1/access-grants?project_id=${projectId}`)).body;
    assert.equal(items.length, 1);
  });

  test('an end that is over, too far, or no moment is refused, and so is prolonging beyond seven days', async () => {
    const cases = [
      [inHours(-1 / 3600), /is over/],
      [inHours(7 * 24 + 1), /more than 7 days after/],
      ['2030-02-30T99:00:00Z', /ends_at/],
      ['tomorrow', /ends_at/],
      [`${inHours(1).slice(0, -1)}+00:00`, /ends_at/],
    ] as const;
    for (const [ends_at, detail] of cases) {
      const { status, body: problem } = await give({ ends_at });
      assert.equal(status, 422, ends_at);
      assert.match(problem.detail, detail);
      assert.equal(problem.errors[0].pointer, '#/ends_at');
    }
    const { id } = (await give()).body;
    const { status } = await owner.call('PATCH', `/v1/access-grants/${id}`, { ends_at: inHours(7 * 24 + 1) });
    assert.equal(status, 422);
    const fixed = await owner.call('PATCH', `/v1/access-grants/${id}`, { scope: ['source'] });
    assert.equal(fixed.status, 422, 'what was granted cannot be widened');
  });

  test('scopes are those that there are, and nothing that could become a header is an address', async () => {
    const addresses = [
      'ada@example.com\r\nBcc: eve@example.com',
      'ada@example.com, eve@example.com',
      'Ada <ada@example.com>',
      'ada@example',
      '"a b"@example.com',
      'ada@exämple.com',
    ];
    for (const address of addresses) assert.equal((await give({ notify: [address] })).status, 422, address);
    for (const more of [{ notify: [] }, { scope: [] }, { scope: ['secrets'] }, { reason: '' }]) {
      assert.equal((await give(more)).status, 422, JSON.stringify(more));
    }
  });

  test('a project of another team, or one that is revoked, is refused', async () => {
    const other = await signIn(given(), await addTeam(given(), `other-${projectId.slice(-6)}`));
    assert.equal((await other.call('POST', '/v1/access-grants', body())).status, 422);
    const { id } = (await give()).body;
    assert.equal((await other.call('GET', `/v1/access-grants/${id}`)).status, 404);
    assert.equal((await other.call('DELETE', `/v1/access-grants/${id}`)).status, 404);
    await owner.call('DELETE', `/v1/projects/${projectId}`);
    assert.match((await give()).body.detail, /no live project/);
  });

  test('it takes the scope grants:write, and a token of one project grants that project alone', async () => {
    const reader = await signIn(given(), given().keys.admin, { scope: 'projects:write projects:read' });
    assert.equal((await reader.call('POST', '/v1/access-grants', body())).body.code, 'insufficient_scope');
    const narrow = await signIn(given(), given().keys.admin, { project_id: projectId });
    assert.equal((await narrow.call('POST', '/v1/access-grants', body())).status, 201);
    const { project_id: _, ...whole } = body();
    assert.equal((await narrow.call('POST', '/v1/access-grants', whole)).body.code, 'wrong_project');
    assert.equal((await owner.call('POST', '/v1/access-grants', whole)).status, 201);
  });

  test('where no mail can be sent no grant can be given, and the problem names the variable', async () => {
    const principal = { keyId: 'key_x', teamId: 'team_x', scopes: [] };
    const mute = { ...given().context, mailer: undefined };
    await assert.rejects(giveGrant(mute, principal, body() as Parameters<typeof giveGrant>[2]), {
      code: 'mail_not_configured',
      message: /EBB_SMTP_URL/,
    });
  });

  test('a grant that was seen to end stays ended when the clock goes back', async () => {
    const { id } = (await give({ ends_at: inHours(1) })).body;
    const ahead = { ...given().context, now: () => new Date(Date.now() + 2 * hourMs) };
    await endGrants(ahead, new AbortController().signal);
    await endGrants(ahead, new AbortController().signal);
    const { body: grant } = await owner.call('GET', `/v1/access-grants/${id}`);
    assert.ok(grant.ended_at);
    const revived = await owner.call('PATCH', `/v1/access-grants/${id}`, { ends_at: inHours(3) });
    assert.deepEqual([revived.status, revived.body.code], [409, 'grant_ended']);
    assert.deepEqual(await audited(id), ['access_grant.given', 'access_grant.ended']);
  });
});
