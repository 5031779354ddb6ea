import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { etagOf } from '../http/etag.ts';
import { browserOf } from '../people/browser-for-tests.ts';
import { type Client, created, declareBuildableProject, requestToken } from '../test-client.ts';
import { openTestContext, type TestContext } from '../test-context.ts';
import { createApiKey } from './api-key.ts';
import { authorization, rules } from './authorization.ts';
import { type Ask, createAsker, idsIn, looksAbsent } from './foreign-eyes-for-tests.ts';
import { absent, requestOf } from './requests-for-tests.ts';
import type { Route } from './rule.ts';
import { openTeam } from './team-with-everything-for-tests.ts';

/* Another team's ids, at every place where an id can stand beside the path: none tells whether there is such a thing. */

let given: TestContext;
let ask: Ask;
let team: Awaited<ReturnType<typeof openTeam>>;
let stranger: Client;
before(async () => {
  given = await openTestContext();
  ask = createAsker(given);
  team = await openTeam(given);
  stranger = team.callers['another team'];
});
after(() => given.close());

const ofTeams = rules.filter(([, { who }]) => who === 'team').map(([route]) => route);
const shownToAll = rules
  .filter(([, rule]) => rule.who === 'team' && rule.projectTokens === 'all')
  .map(([route]) => route);
const lists = ofTeams.filter((route) => route.startsWith('GET') && !route.includes('/:'));

const eyes = (headers: Record<string, string> = {}) => ({
  ...{ token: stranger.token, things: team.things, headers },
});
/** Whatever value the route makes of it: a query that it does not know is refused alike. */
const withQuery = (route: Route, query: Record<string, string>) => ({
  ...requestOf(route, team.things),
  url: `${requestOf(route, team.things).url}?${new URLSearchParams(query)}`,
});

for (const route of lists) {
  test(`${route} of another team's project, build or revocation shows nothing`, async () => {
    for (const name of ['project_id', 'subject', 'within'])
      for (const kind of ['project', 'build', 'revocation', 'secret'] as const)
        await looksAbsent(ask, eyes(), (things) => withQuery(route, { [name]: things[kind] }));
  });

  test(`${route} by another team's natural id shows nothing`, async () => {
    for (const form of [
      ({ projectName }: typeof team.things) => `crew/${projectName}`,
      ({ projectName }: typeof team.things) => `crew/${projectName}/TOKEN`,
      ({ grant }: typeof team.things) => `crew/${grant}`,
    ])
      await looksAbsent(ask, eyes(), (things) => withQuery(route, { natural_id: form(things) }));
  });

  test(`${route} after another team's thing shows nothing of that team`, async () => {
    for (const id of Object.values(team.things)) {
      const cursor = Buffer.from(id).toString('base64url');
      const { status, text } = await ask(withQuery(route, { cursor }), stranger.token);
      assert.ok([200, 400, 422].includes(status), text);
      assert.deepEqual(idsIn(text, team.things), [], text);
    }
  });
}

test('a token that is limited to a project lists nothing of another, whatever the query', async () => {
  const limited = team.callers['another project'].token;
  const { project, projectName, ...rest } = team.things;
  for (const route of lists)
    for (const query of [
      ...Object.values(rest).map((id) => ({ cursor: Buffer.from(id).toString('base64url') })),
      ...['project_id', 'subject'].map((name) => ({ [name]: project })),
      ...[projectName, `${projectName}/TOKEN`, rest.grant].map((name) => ({ natural_id: `crew/${name}` })),
    ]) {
      const { status, text } = await ask(withQuery(route, query), limited);
      const isAllowed = shownToAll.includes(route) || status >= 400;
      assert.deepEqual(isAllowed ? [] : idsIn(text, team.things), [], `${route}: ${text}`);
      if (Object.hasOwn(query, 'project_id') && !shownToAll.includes(route))
        assert.ok([400, 403].includes(status), `${route}: ${text}`);
    }
});

test('to know the content of a thing, as If-Match says, does not make it there', async () => {
  const { body: project } = await team.owner.call('GET', `/v1/projects/${team.things.project}`);
  for (const route of ofTeams.filter((name) => /^(PATCH|DELETE) .*\/:id$/.test(name)))
    for (const match of ['*', '"other"', etagOf(project)]) {
      const answer = await looksAbsent(ask, eyes({ 'if-match': match }), (things) =>
        requestOf(route, things),
      );
      assert.equal(answer.status, 404, `${route}: ${answer.text}`);
    }
});

test('an Idempotency-Key that another team used tells nothing of what it made', async () => {
  const headers = { 'idempotency-key': 'deploy-1' };
  const declare = { name: 'once', kind: 'local' };
  const own = await team.owner.call('POST', '/v1/connections', declare, headers);
  const foreign = await stranger.call('POST', '/v1/connections', declare, headers);
  assert.deepEqual([own.status, foreign.status], [201, 201], foreign.text);
  assert.notEqual(foreign.body.id, own.body.id);
  assert.deepEqual([own.body.team, foreign.body.team], ['crew', 'strangers']);
});

test('nor does one that another key of the same team used', async () => {
  const headers = { 'idempotency-key': 'deploy-2' };
  const declare = { project_id: team.things.project, name: 'spare', scopes: ['builds:read'] };
  const own = await team.owner.call('POST', '/v1/api-keys', declare, headers);
  const other = await (await team.keyOf(['keys:write', 'builds:read'])).call(
    ...(['POST', '/v1/api-keys', declare, headers] as const),
  );
  assert.deepEqual([own.status, other.status], [201, 201], other.text);
  assert.notEqual(other.body.id, own.body.id);
  const limited = await team.callers['another project'].call('POST', '/v1/api-keys', declare, headers);
  assert.deepEqual([limited.status, limited.body.code], [403, 'wrong_project']);
});

test('a creation that names what belongs to another team is refused alike, under an Idempotency-Key too', async () => {
  for (const route of ofTeams.filter((name) => /^POST \/v1\/[a-z-]+$/.test(name))) {
    if (route === 'POST /v1/connections') continue;
    const headers = { 'idempotency-key': `foreign ${route}` };
    for (const more of [{}, headers, headers]) {
      const answer = await looksAbsent(ask, eyes(more), (things) => requestOf(route, things));
      assert.ok(answer.status >= 400, `${route}: ${answer.text}`);
    }
  }
});

test("no token is limited to another team's project", async () => {
  const key = { teamId: await teamOf('strangers'), name: 'key', scopes: ['projects:read' as const] };
  const client_secret = await createApiKey(given.context.database, { ...key, now: given.context.now() });
  const of = async (project_id: string) => {
    const { status, text } = await requestToken(given, { client_secret, project_id });
    return [status, text.replaceAll(project_id, 'ID')];
  };
  const real = await of(team.things.project);
  assert.equal(real[0], 400);
  assert.deepEqual(real, await of(absent(team.things).project));
});

test('a grant opens nothing of a team that did not give it, nor tells whether it is there', async () => {
  const project = await declareBuildableProject(given, stranger);
  const grant = await created(stranger, '/v1/access-grants', {
    ...{ reason: 'A look', scope: ['logs', 'source', 'environment'], notify: ['eve@example.com'] },
    ends_at: `${new Date(Date.now() + 3_600_000).toISOString().slice(0, 19)}Z`,
  });
  const crew = { token: team.callers.core_crew.token, things: team.things };
  const own = await ask({ method: 'GET', url: `/v1/access-grants/${grant.id}/builds` }, crew.token);
  assert.equal(own.status, 200, own.text);
  const environment = `/v1/access-grants/${grant.id}/projects/${project.id}/environment`;
  assert.equal((await ask({ method: 'GET', url: environment }, crew.token)).status, 200);
  for (const route of Object.keys(authorization['Access grants'] ?? {}) as Route[]) {
    if (!/:(build|project)\b/.test(route)) continue;
    const answer = await looksAbsent(ask, crew, (things) => {
      const request = requestOf(route, things);
      return { ...request, url: request.url.replace(things.grant, grant.id) };
    });
    assert.ok([403, 404].includes(answer.status), `${route}: ${answer.text}`);
  }
  const list = `/v1/access-grants/${grant.id}/builds?project_id=`;
  await looksAbsent(ask, crew, (things) => ({ method: 'GET', url: `${list}${things.project}` }));
});

test("nobody ends another person's session, nor learns that there is one", async () => {
  const [ada, eve] = [await browserOf(given, 'ada2@example.com'), await browserOf(given, 'eve2@example.com')];
  const { id } = (await ada.call('GET', '/v1/sessions')).body.items[0];
  const nothing = `${id.split('_')[0]}_${'0'.repeat(26)}`;
  const end = async (which: string) => {
    const { status, body } = await eve.call('DELETE', `/v1/sessions/${which}`);
    return [status, body.code, body.detail.replace(which, 'ID')];
  };
  assert.deepEqual(await end(id), await end(nothing));
  assert.equal((await ada.call('GET', '/v1/person')).status, 200);
});

async function teamOf(name: string): Promise<string> {
  const row = given.context.database.selectFrom('team').select('id').where('name', '=', name);
  return (await row.executeTakeFirstOrThrow()).id;
}
