import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { describeApi } from '../../test/describe-api.ts';
import { addTeam, type Client, created, declareProject, send, signIn } from '../test-client.ts';

describeApi('introspection of tokens', (given) => {
  let admin: Client;
  before(async () => {
    admin = await signIn(given(), given().keys.admin);
  });
  const introspect = (asker: Pick<Client, 'token'> | undefined, form: Record<string, string>) =>
    send(given(), {
      ...{ method: 'POST', url: '/v1/token/introspect', payload: new URLSearchParams(form).toString() },
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        ...(asker && { authorization: `Bearer ${asker.token}` }),
      },
    });
  const told = async (token: string, asker: Pick<Client, 'token'> = admin) => {
    const { status, body, text, headers } = await introspect(asker, { token });
    assert.equal(status, 200, text);
    assert.equal(headers['cache-control'], 'no-store');
    assert.match(String(headers['content-type']), /^application\/json/);
    return body;
  };
  const claimsOf = (token: string) =>
    JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  const inactive = { active: false };

  test('a team is told of a good token of its own what RFC 7662 names', async () => {
    const { id } = await declareProject(given(), admin);
    const { token } = await signIn(given(), given().keys.admin, { project_id: id, scope: 'builds:read' });
    const { sub, jti, iat, exp } = claimsOf(token);
    assert.deepEqual(await told(token), {
      ...{ active: true, token_type: 'Bearer', scope: 'builds:read', client_id: sub, sub, jti, iat, exp },
      ...{ iss: 'http://ebb.test', aud: 'ebb', project_id: id },
    });
    const hinted = await introspect(admin, { token, token_type_hint: 'access_token' });
    assert.equal(hinted.body.active, true);
  });

  test('a renewable token ends when it must be renewed, one of a key that ends with its key', async () => {
    const renewable = await signIn(given(), given().keys.admin, { renewable: 'true' });
    const { iat, exp } = claimsOf(renewable.token);
    const end = (await told(renewable.token)).exp;
    assert.ok(end < exp && Math.abs(end - iat - 900) <= 2, `${end - iat} s`);
    const at = `${new Date(Date.now() + 300_000).toISOString().slice(0, 19)}Z`;
    const short = { name: 'short', scopes: ['builds:read'], expires_at: at };
    const { secret: key } = await created<{ secret: string }>(admin, '/v1/api-keys', short);
    assert.equal((await told((await signIn(given(), key)).token)).exp, Date.parse(at) / 1000);
  });

  test('what is not, or no longer, a good token of the team is inactive and nothing else', async () => {
    const stranger = await signIn(given(), await addTeam(given(), 'askers'));
    const [head, payload] = admin.token.split('.');
    const revoked = await signIn(given(), given().keys.admin);
    const form = new URLSearchParams({ token: revoked.token }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    await send(given(), { method: 'POST', url: '/v1/token/revoke', headers, payload: form });
    const project = await declareProject(given(), admin);
    const ofProject = await signIn(given(), given().keys.admin, { project_id: project.id });
    assert.equal((await told(ofProject.token)).active, true);
    assert.equal((await admin.call('DELETE', `/v1/projects/${project.id}`)).status, 204);
    const short = { name: 'gone', scopes: ['builds:read'] };
    const { id, secret: key } = await created<{ id: string; secret: string }>(admin, '/v1/api-keys', short);
    const ofKey = await signIn(given(), key);
    assert.equal((await admin.call('DELETE', `/v1/api-keys/${id}`)).status, 204);
    const runner = await signIn(given(), given().keys.runner);
    const tokens = {
      nonsense: 'nonsense',
      'an API key': given().keys.admin,
      forged: `${head}.${payload}.${'A'.repeat(86)}`,
      'of another team': stranger.token,
      'of the operators': runner.token,
      revoked: revoked.token,
      'of a project that is gone': ofProject.token,
      'of a key that is gone': ofKey.token,
    };
    for (const [what, token] of Object.entries(tokens)) assert.deepEqual(await told(token), inactive, what);
    assert.deepEqual(await told(admin.token, stranger), inactive);
  });

  test('who shows no token, lacks the scope or may see one project alone is refused as anywhere', async () => {
    const { token } = admin;
    const nobody = await introspect(undefined, { token });
    assert.equal(nobody.status, 401);
    assert.equal(nobody.headers['www-authenticate'], 'Bearer realm="Ebb"');
    const forged = await introspect({ token: 'a.b.c' }, { token });
    assert.equal(forged.status, 401);
    assert.equal(forged.headers['www-authenticate'], 'Bearer realm="Ebb", error="invalid_token"');
    const narrow = await signIn(given(), given().keys.admin, { scope: 'builds:read' });
    const refused = await introspect(narrow, { token });
    assert.deepEqual([refused.status, refused.body.code], [403, 'insufficient_scope']);
    const { id } = await declareProject(given(), admin);
    const ofProject = await signIn(given(), given().keys.admin, { project_id: id });
    assert.equal((await introspect(ofProject, { token })).status, 403);
  });

  test('a request without a token, or with one twice or too long, is refused without it', async () => {
    assert.equal((await introspect(admin, {})).status, 422);
    const long = await introspect(admin, { token: 'x'.repeat(9_000) });
    assert.equal(long.status, 422);
    assert.ok(!long.text.includes('xxx'));
    const twice = await send(given(), {
      ...{ method: 'POST', url: '/v1/token/introspect', payload: 'token=a&token=b' },
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: `Bearer ${admin.token}`,
      },
    });
    assert.equal(twice.status, 422);
  });
});
