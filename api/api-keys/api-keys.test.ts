import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { describeApi } from '../../test/describe-api.ts';
import { addTeam, type Client, created, declareProject, requestToken, signIn } from '../test-client.ts';

interface Made {
  id: string;
  secret: string;
}

describeApi('API keys of a team', (given) => {
  let admin: Client;
  const make = (more: object = {}, client = admin) =>
    created<Made>(client, '/v1/api-keys', { name: 'laptop', scopes: ['builds:read'], ...more });
  const refusalOf = async (secret: string, form: Record<string, string> = {}) => {
    const { status, body } = await requestToken(given(), { client_secret: secret, ...form });
    return [status, body.error];
  };

  before(async () => {
    admin = await signIn(given(), given().keys.admin);
  });

  test('a key is shown once, gives tokens of its scopes, and is then known by its name and use', async () => {
    const { id, secret } = await make({ name: 'Ada’s laptop' });
    const client = await signIn(given(), secret);
    assert.equal((await client.call('GET', '/v1/builds')).status, 200);
    assert.equal((await client.call('GET', '/v1/api-keys')).status, 403);
    const shown = await admin.call('GET', `/v1/api-keys/${id}`);
    assert.ok(!shown.text.includes(secret));
    const { name, scopes, created_by, revoked_at, expires_at, last_used_at } = shown.body;
    assert.deepEqual([name, scopes, revoked_at, expires_at], ['Ada’s laptop', ['builds:read'], null, null]);
    assert.match(created_by, /^key_/);
    assert.ok(Math.abs(Date.parse(last_used_at) - Date.now()) < 60_000);
  });

  test('a repetition with the same Idempotency-Key makes no second key and does not tell the first', async () => {
    const body = { name: 'repeated', scopes: ['builds:read'] };
    const post = () => admin.call('POST', '/v1/api-keys', body, { 'idempotency-key': 'again' });
    const first = await post();
    const second = await post();
    assert.equal(second.status, 201);
    assert.equal(second.body.id, first.body.id);
    assert.ok(first.body.secret);
    assert.equal(second.body.secret, undefined);
    assert.equal(first.headers.etag, second.headers.etag);
    const stored = await given().context.database.selectFrom('idempotency_key').selectAll().execute();
    assert.ok(!JSON.stringify(stored).includes(first.body.secret));
  });

  test('its use is written down once a minute', async () => {
    const { id, secret } = await make();
    const { context } = given();
    const real = context.now;
    const at = (seconds: number) => async () => {
      context.now = () => new Date(start + seconds * 1000);
      try {
        await requestToken(given(), { client_secret: secret });
      } finally {
        context.now = real;
      }
      return Date.parse((await admin.call('GET', `/v1/api-keys/${id}`)).body.last_used_at) - start;
    };
    const start = Date.now();
    assert.equal(await at(0)(), 0);
    assert.equal(await at(59)(), 0);
    assert.equal(await at(61)(), 61_000);
  });

  test('a key that was revoked gives no token, and those it gave are no more', async () => {
    const { id, secret } = await make();
    const client = await signIn(given(), secret);
    assert.equal((await admin.call('DELETE', `/v1/api-keys/${id}`)).status, 204);
    assert.equal((await client.call('GET', '/v1/builds')).status, 401);
    assert.deepEqual(await refusalOf(secret), [401, 'invalid_client']);
    assert.equal((await admin.call('DELETE', `/v1/api-keys/${id}`)).status, 204);
    assert.ok((await admin.call('GET', `/v1/api-keys/${id}`)).body.revoked_at);
  });

  test('a key that has expired gives no token, and those it gave are no more', async () => {
    const expires_at = `${new Date(Date.now() + 3_600_000).toISOString().slice(0, 19)}Z`;
    const { secret } = await make({ expires_at });
    const client = await signIn(given(), secret);
    const { context } = given();
    const real = context.now;
    context.now = () => new Date(expires_at);
    try {
      assert.deepEqual(await refusalOf(secret), [401, 'invalid_client']);
      assert.equal((await client.call('GET', '/v1/builds')).status, 401);
    } finally {
      context.now = real;
    }
  });

  test('a key that ends makes none that ends later, or never', async () => {
    const inHours = (hours: number) =>
      `${new Date(Date.now() + hours * 3_600_000).toISOString().slice(0, 19)}Z`;
    const inAnHour = inHours(1);
    const maker = await make({ scopes: ['keys:write', 'builds:read'], expires_at: inAnHour });
    const client = await signIn(given(), maker.secret);
    for (const more of [{}, { expires_at: inHours(24) }]) {
      const answer = await client.call('POST', '/v1/api-keys', {
        name: 'x',
        scopes: ['builds:read'],
        ...more,
      });
      assert.deepEqual([answer.status, answer.body.errors[0].pointer], [422, '#/expires_at']);
    }
    await make({ expires_at: inAnHour }, client);
  });

  test('a key of one project gives tokens of that project alone', async () => {
    const shop = await declareProject(given(), admin);
    const tools = await declareProject(given(), admin);
    const scopes = ['projects:read', 'keys:read', 'keys:write'];
    const { secret } = await make({ scopes, project_id: shop.id });
    const other = await make({ project_id: tools.id });
    const client = await signIn(given(), secret);
    assert.equal((await client.call('GET', `/v1/projects/${shop.id}`)).status, 200);
    assert.equal((await client.call('GET', `/v1/projects/${tools.id}`)).status, 403);
    assert.deepEqual(await refusalOf(secret, { project_id: tools.id }), [400, 'invalid_request']);
    assert.equal((await client.call('GET', `/v1/api-keys/${other.id}`)).status, 403);
    assert.equal((await client.call('DELETE', `/v1/api-keys/${other.id}`)).status, 403);
    const listed = (await client.call('GET', '/v1/api-keys')).body.items;
    assert.deepEqual([...new Set(listed.map((key: { project_id: string }) => key.project_id))], [shop.id]);
    const wide = await client.call('POST', '/v1/api-keys', { name: 'wide', scopes: ['projects:read'] });
    assert.deepEqual([wide.status, wide.body.code], [403, 'wrong_project']);
  });

  test('nobody gives what he lacks, what is the operators’, an end that is over, or a name of two lines', async () => {
    const maker = await signIn(given(), given().keys.admin, { scope: 'keys:write builds:read' });
    const bad: [object, string][] = [
      [{ scopes: ['builds:read', 'audit:read'] }, '#/scopes'],
      [{ scopes: ['core_crew'] }, '#/scopes/0'],
      [{ scopes: [] }, '#/scopes'],
      [{ expires_at: '2020-01-01T00:00:00Z' }, '#/expires_at'],
      [{ expires_at: '2030-12-31T23:59:60Z' }, '#/expires_at'],
      [{ name: 'a\r\nBcc: eve@example.com' }, '#/name'],
      [{ name: 'invoice\u202Efdp' }, '#/name'],
      [{ project_id: 'prj_01j000000000000000000000ab' }, '#/project_id'],
      [{ secret: `ebb_${'a'.repeat(43)}` }, '#/secret'],
    ];
    for (const [change, pointer] of bad) {
      const body = { name: 'bad', scopes: ['builds:read'], ...change };
      const answer = await maker.call('POST', '/v1/api-keys', body);
      assert.equal(answer.status, 422, answer.text);
      assert.equal(answer.body.errors[0].pointer, pointer);
    }
  });

  test('what stands behind a workload identity is no key of the list, nor after its end', async () => {
    const trust = { name: 'ci', issuer: 'https://ci.example.com', audience: 'ebb', claims: { sub: 'shop' } };
    const { id } = await created(admin, '/v1/workload-identities', { ...trust, scopes: ['builds:read'] });
    const { database } = given().context;
    const { api_key_id } = await database
      .selectFrom('workload_identity')
      .select('api_key_id')
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    for (const end of [false, true]) {
      if (end) await admin.call('DELETE', `/v1/workload-identities/${id}`);
      assert.equal((await admin.call('GET', `/v1/api-keys/${api_key_id}`)).status, 404);
      assert.ok(!(await admin.call('GET', '/v1/api-keys?limit=200')).text.includes(api_key_id));
    }
  });

  test('pages go on where the one before ended, and to another team no key exists', async () => {
    await make();
    await make();
    const first = await admin.call('GET', '/v1/api-keys?limit=1');
    const second = await admin.call('GET', `/v1/api-keys?limit=1&cursor=${first.body.next_cursor}`);
    assert.equal(second.body.items.length, 1);
    assert.notEqual(second.body.items[0].id, first.body.items[0].id);
    const stranger = await signIn(given(), await addTeam(given(), 'key-strangers'));
    for (const method of ['GET', 'DELETE'] as const)
      assert.equal((await stranger.call(method, `/v1/api-keys/${first.body.items[0].id}`)).status, 404);
  });
});
