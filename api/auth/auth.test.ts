import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { describeApi } from '../../test/describe-api.ts';
import {
  addTeam,
  type Client,
  declareBuildableProject,
  declareProject,
  requestToken,
  send,
  signIn,
} from '../test-client.ts';

describeApi('tokens', (given) => {
  let admin: Client;
  before(async () => {
    admin = await signIn(given(), given().keys.admin);
  });

  test('the token endpoint takes the key in the body or as Basic password and forbids caching', async () => {
    const inBody = await requestToken(given(), { client_secret: given().keys.admin });
    const basic = Buffer.from(`ebb:${given().keys.admin}`).toString('base64');
    const asPassword = await send(given(), {
      method: 'POST',
      url: '/v1/token',
      headers: { authorization: `Basic ${basic}`, 'content-type': 'application/x-www-form-urlencoded' },
      payload: 'grant_type=client_credentials',
    });
    for (const answer of [inBody, asPassword]) {
      assert.equal(answer.status, 200);
      assert.equal(answer.body.token_type, 'Bearer');
      assert.equal(answer.headers['cache-control'], 'no-store');
    }
  });

  test('an unknown key, a wrong grant and an unknown scope are refused in the form of OAuth, without the key', async () => {
    const wrongKey = `ebb_${'x'.repeat(43)}`;
    const cases = [
      [{ client_secret: wrongKey }, 401, 'invalid_client'],
      [{ client_secret: 'nonsense' }, 401, 'invalid_client'],
      [{ client_secret: wrongKey, grant_type: 'password' }, 400, 'unsupported_grant_type'],
      [{}, 400, 'invalid_request'],
      [{ client_secret: given().keys.admin, scope: 'builds:destroy' }, 400, 'invalid_scope'],
      [{ client_secret: given().keys.admin, project_id: 'prj_none' }, 400, 'invalid_request'],
    ] as const;
    for (const [form, status, error] of cases) {
      const answer = await requestToken(given(), { ...form });
      assert.deepEqual([answer.status, answer.body.error], [status, error], JSON.stringify(form));
      assert.ok(answer.body.error_description.length > 10);
      assert.ok(!answer.text.includes(wrongKey));
    }
  });

  test('a request without a token, with a broken one or with a forged one is refused and says how to get one', async () => {
    const [header = '', payload = ''] = admin.token.split('.');
    const forged = `${header}.${payload}.${Buffer.alloc(64).toString('base64url')}`;
    for (const authorization of [undefined, 'Bearer', 'Bearer a.b.c', `Bearer ${forged}`, 'Basic eA==']) {
      const headers = authorization === undefined ? {} : { authorization };
      const answer = await send(given(), { method: 'GET', url: '/v1/projects', headers });
      assert.equal(answer.status, 401, authorization);
      assert.match(String(answer.headers['www-authenticate']), /^Bearer/);
      assert.match(answer.body.detail, /POST \/v1\/token/);
    }
  });

  test('a token has the scopes that were asked for and no other', async () => {
    const reader = await signIn(given(), given().keys.admin, { scope: 'projects:read' });
    assert.equal((await reader.call('GET', '/v1/projects')).status, 200);
    const refused = await reader.call('POST', '/v1/connections', { name: 'host', kind: 'local' });
    assert.equal(refused.status, 403);
    assert.equal(refused.body.code, 'insufficient_scope');
    assert.match(refused.body.detail, /projects:write/);
    assert.match(String(refused.headers['www-authenticate']), /scope="projects:write"/);
  });

  test('a token for one action on one project does that and nothing else', async () => {
    const project = await declareBuildableProject(given(), admin);
    const other = await declareProject(given(), admin);
    const only = (scope: string) => signIn(given(), given().keys.admin, { scope, project_id: project.id });
    const creator = await only('builds:create');
    const made = await creator.call('POST', '/v1/builds', { project_id: project.id });
    assert.equal(made.status, 201, made.text);
    const cancel = `/v1/builds/${made.body.id}/cancel`;
    const revoke = `/v1/projects/${project.id}/revoke`;
    const refusals = [
      await creator.call('POST', '/v1/builds', { project_id: other.id }),
      await creator.call('POST', cancel),
      await creator.call('GET', '/v1/builds'),
      await creator.call('POST', revoke),
      await (await only('builds:cancel')).call('POST', revoke),
      await (await only('projects:revoke')).call('POST', cancel),
      await (await only('projects:revoke')).call('PATCH', `/v1/projects/${project.id}`, {
        timeout_minutes: 5,
      }),
      await (await only('projects:revoke')).call('POST', `/v1/projects/${other.id}/revoke`),
    ];
    assert.deepEqual(
      refusals.map(({ status }) => status),
      refusals.map(() => 403),
    );
    assert.equal((await (await only('builds:cancel')).call('POST', cancel)).status, 202);
    assert.equal((await (await only('projects:revoke')).call('POST', revoke)).status, 200);
  });

  test('a key whose scope holds another gives tokens of that one, and one without it does not', async () => {
    const wide = await addTeam(given(), 'wide', ['builds:write']);
    assert.equal((await requestToken(given(), { client_secret: wide, scope: 'builds:create' })).status, 200);
    const narrow = await addTeam(given(), 'narrow', ['builds:create']);
    const refused = await requestToken(given(), { client_secret: narrow, scope: 'builds:write' });
    assert.deepEqual([refused.status, refused.body.error], [400, 'invalid_scope']);
  });

  test('the key of a runner opens nothing that people use', async () => {
    const runner = await signIn(given(), given().keys.runner);
    for (const url of ['/v1/projects', '/v1/builds', '/v1/receipts', '/v1/secrets']) {
      assert.equal((await runner.call('GET', url)).status, 403, url);
    }
  });

  test('a revoked key ends its tokens at once', async () => {
    const key = await addTeam(given(), 'leavers');
    const client = await signIn(given(), key);
    assert.equal((await client.call('GET', '/v1/projects')).status, 200);
    const { database, now } = given().context;
    const team = database.selectFrom('team').select('id').where('name', '=', 'leavers');
    await database.updateTable('api_key').set({ revoked_at: now() }).where('team_id', '=', team).execute();
    const refused = await client.call('GET', '/v1/projects');
    assert.deepEqual([refused.status, refused.body.code], [401, 'token_revoked']);
    assert.equal((await requestToken(given(), { client_secret: key })).status, 401);
  });

  test('a token for one project shows and changes that project alone', async () => {
    const mine = await declareProject(given(), admin);
    const other = await declareProject(given(), admin);
    const client = await signIn(given(), given().keys.admin, { project_id: mine.id });
    const listed = await client.call('GET', '/v1/projects');
    assert.deepEqual(
      listed.body.items.map(({ id }: { id: string }) => id),
      [mine.id],
    );
    const foreign = [
      await client.call('GET', `/v1/projects/${other.id}`),
      await client.call('GET', `/v1/projects?project_id=${other.id}`),
      await client.call('PATCH', `/v1/projects/${other.id}`, { timeout_minutes: 5 }),
      await client.call('DELETE', `/v1/projects/${other.id}`),
      await client.call('POST', '/v1/secrets', { project_id: other.id, name: 'A', value: 'b' }),
      await client.call('POST', '/v1/deploy-keys', { project_id: other.id }),
      await client.call('POST', '/v1/hook-bindings', { project_id: other.id }),
      await client.call('POST', '/v1/builds', { project_id: other.id }),
      await client.call('POST', '/v1/connections', { name: 'more', kind: 'local' }),
    ];
    for (const { status, body } of foreign) assert.deepEqual([status, body.code], [403, 'wrong_project']);
    assert.equal((await client.call('PATCH', `/v1/projects/${mine.id}`, { timeout_minutes: 5 })).status, 200);
  });

  test('the token of a project dies with the project', async () => {
    const { id } = await declareProject(given(), admin);
    const client = await signIn(given(), given().keys.admin, { project_id: id });
    assert.equal((await client.call('DELETE', `/v1/projects/${id}`)).status, 204);
    const refused = await client.call('GET', '/v1/projects');
    assert.deepEqual([refused.status, refused.body.code], [401, 'token_revoked']);
  });

  test('what belongs to another team looks as if it were not there', async () => {
    const { id, connectionId } = await declareProject(given(), admin);
    const secret = await admin.call('POST', '/v1/secrets', { project_id: id, name: 'TOKEN', value: 'x' });
    const stranger = await signIn(given(), await addTeam(given(), 'strangers'));
    const urls = [`/v1/projects/${id}`, `/v1/connections/${connectionId}`, `/v1/secrets/${secret.body.id}`];
    for (const url of urls) {
      for (const method of ['GET', 'DELETE'] as const) {
        const { status, body } = await stranger.call(method, url);
        assert.deepEqual([status, body.code], [404, 'not_found'], `${method} ${url}`);
      }
      assert.equal((await admin.call('GET', url)).status, 200);
    }
    for (const collection of ['projects', 'connections', 'secrets', 'builds', 'receipts']) {
      const { body } = await stranger.call('GET', `/v1/${collection}`);
      assert.deepEqual(body.items, [], collection);
    }
  });

  test('the published keys verify tokens and hold no private half', async () => {
    const { body } = await send(given(), { method: 'GET', url: '/.well-known/jwks.json' });
    assert.ok(body.keys.length >= 2);
    for (const key of body.keys) {
      assert.equal(key.d, undefined);
      assert.ok(key.kid && key.x);
    }
  });

  test('no key and no token is in the log', async () => {
    const { admin: adminKey, runner: runnerKey } = given().keys;
    for (const secret of [adminKey, runnerKey, admin.token]) assert.ok(!given().logged().includes(secret));
    assert.match(given().logged(), /"url":"\/v1\/token"/);
  });
});
