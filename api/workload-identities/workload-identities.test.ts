import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { SignJWT } from 'jose';
import { teamScopes, tokenExchange } from '../../contract/token.ts';
import { describeApi } from '../../test/describe-api.ts';
import { addTeam, type Client, created, declareProject, requestToken, send, signIn } from '../test-client.ts';
import { type IssuerForTests, startIssuer } from './issuer-for-tests.ts';

describeApi('workload identities', (given) => {
  let admin: Client;
  let issuer: IssuerForTests;
  let id: string;
  const trust = () => ({
    ...{ name: 'ci', issuer: issuer.issuer, audience: 'ebb' },
    ...{ claims: { sub: 'repo:acme/shop:*' }, scopes: ['builds:read', 'builds:write', 'projects:read'] },
  });
  const exchange = (token: string, more: Record<string, string> = {}) =>
    requestToken(given(), {
      ...{ grant_type: tokenExchange, client_id: id, subject_token: token },
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      ...more,
    });
  const use = (token: string, url = '/v1/projects') =>
    send(given(), { method: 'GET', url, headers: { authorization: `Bearer ${token}` } });
  const refusal = async (token: string, more: Record<string, string> = {}) => {
    const { status, body, text } = await exchange(token, more);
    assert.ok(!text.includes(token), 'the token is not repeated');
    return [status, body.error, body.error_description];
  };

  before(async () => {
    admin = await signIn(given(), given().keys.admin);
    issuer = await startIssuer();
    ({ id } = await created(admin, '/v1/workload-identities', trust()));
  });
  after(() => issuer.close());

  test('a token of a trusted issuer is exchanged for one of Ebb, of what was declared and no more', async () => {
    const { status, body, headers } = await exchange(await issuer.token());
    assert.equal(status, 200);
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(body.issued_token_type, 'urn:ietf:params:oauth:token-type:access_token');
    assert.equal(body.scope, 'builds:read builds:write projects:read');
    assert.equal((await use(body.access_token)).status, 200);
    assert.equal((await use(body.access_token, '/v1/audit-events')).status, 403);
    const narrow = await exchange(await issuer.token(), { scope: 'builds:read' });
    assert.equal(narrow.body.scope, 'builds:read');
    assert.equal((await exchange(await issuer.token(), { scope: 'audit:read' })).body.error, 'invalid_scope');
  });

  test('a token that is not for Ebb, not of the workload, not of the issuer or not good now is refused by what is wrong', async () => {
    const now = Math.floor(Date.now() / 1000);
    const other = await startIssuer();
    const cases: [string, RegExp][] = [
      [await issuer.token({ aud: 'https://sts.example.com' }), /claim aud must hold ebb/],
      [await issuer.token({ aud: undefined }), /claim aud/],
      [await issuer.token({ sub: 'repo:evil/shop:ref:refs/heads/main' }), /not of the workload ci: sub must/],
      [await issuer.token({ sub: undefined }), /claim sub/],
      [await issuer.token({ iss: 'https://other.example.com' }), /claim iss must be/],
      [await issuer.token({ exp: now - 60 }), /has expired/],
      [await issuer.token({ exp: undefined }), /claim exp/],
      [await issuer.token({ nbf: now + 600 }), /claim nbf/],
      [await other.token({ iss: issuer.issuer }), /not signed by a key/],
      [await other.token({ iss: issuer.issuer }, { kid: 'key-1' }), /not signed by a key/],
      ['nonsense', /no signed JWT/],
    ];
    other.close();
    for (const [token, expected] of cases) {
      const [status, error, description] = await refusal(token);
      assert.deepEqual([status, error], [400, 'invalid_request'], String(expected));
      assert.match(description, expected);
    }
  });

  test('no algorithm, and none that a public key could sign with, is taken', async () => {
    const claims = { iss: issuer.issuer, aud: 'ebb', sub: 'repo:acme/shop:ref:refs/heads/main' };
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const now = Math.floor(Date.now() / 1000);
    const body = { ...claims, iat: now, exp: now + 300 };
    const none = `${part({ alg: 'none', kid: 'key-1' })}.${part(body)}.`;
    const hmac = await new SignJWT(body)
      .setProtectedHeader({ alg: 'HS256', kid: 'key-1' })
      .sign(randomBytes(32));
    const { privateKey } = generateKeyPairSync('ed25519');
    const elsewhere = await new SignJWT(body)
      .setProtectedHeader({ alg: 'EdDSA', kid: '../../../etc/passwd', jku: 'http://127.0.0.1:1/keys' })
      .sign(privateKey);
    for (const token of [none, hmac, elsewhere]) assert.equal((await refusal(token))[1], 'invalid_request');
  });

  test('a key that the issuer has changed for another is taken at once, and the old one no more', async () => {
    const before = await issuer.token();
    assert.equal((await exchange(before)).status, 200);
    // Ebb asks an issuer for keys anew after 5 s at the earliest.
    await new Promise((resolve) => setTimeout(resolve, 5_100));
    await issuer.rollOver();
    assert.equal((await exchange(await issuer.token())).status, 200);
    assert.match((await refusal(before))[2], /not signed by a key/);
  });

  test('tokens with keys that nobody knows do not make Ebb ask the issuer each time', async () => {
    const before = issuer.asked();
    for (let count = 0; count < 20; count += 1)
      await refusal(await issuer.token({}, { kid: `unknown-${count}` }));
    assert.ok(issuer.asked() - before <= 1, `asked ${issuer.asked() - before} times`);
  });

  test('an issuer that is away, says that it is another or answers too much is told of, and asked again later', async () => {
    const strange = async (name: string, body: (issuer: string) => string, status = 200) => {
      const other = await startIssuer();
      const declared = { ...trust(), name, issuer: other.issuer };
      const { id: client_id } = await created(admin, '/v1/workload-identities', declared);
      other.answer = { status, body: body(other.issuer) };
      const why = async () => (await refusal(await other.token(), { client_id }))[2];
      return { other, client_id, why };
    };
    const cases = [
      [await strange('away-503', () => '', 503), /answered 503 and does not say that it is/],
      [await strange('else', () => '{"issuer":"https://else"}'), /does not say that it is/],
      [await strange('placeless', (it) => JSON.stringify({ issuer: it })), /names no place for its keys/],
      [await strange('huge', () => 'x'.repeat(300_000)), /larger than 256 KiB/],
    ] as const;
    for (const [{ why }, expected] of cases) assert.match(await why(), expected);
    for (const [{ other }] of cases) other.answer = undefined;
    for (const [{ why }, expected] of cases) assert.match(await why(), expected, 'not asked again at once');
    await new Promise((resolve) => setTimeout(resolve, 5_100));
    for (const [{ other, client_id }] of cases) {
      assert.equal((await exchange(await other.token(), { client_id })).status, 200);
      other.close();
    }
  });

  test('an issuer whose keys cannot be fetched is asked for them once in five seconds', async () => {
    const other = await startIssuer();
    const declared = { ...trust(), name: 'keyless', issuer: other.issuer };
    const { id: client_id } = await created(admin, '/v1/workload-identities', declared);
    other.keysAnswer = { status: 500, body: 'broken' };
    for (let count = 0; count < 10; count += 1)
      assert.equal((await exchange(await other.token(), { client_id })).status, 400);
    assert.equal(other.asked(), 1);
    other.keysAnswer = undefined;
    await new Promise((resolve) => setTimeout(resolve, 5_100));
    assert.equal((await exchange(await other.token(), { client_id })).status, 200);
    other.close();
  });

  test('of another project it gives no token, and its token opens no other', async () => {
    const shop = await declareProject(given(), admin);
    const tools = await declareProject(given(), admin);
    const made = await created(admin, '/v1/workload-identities', {
      ...trust(),
      ...{ name: 'ci-shop', project_id: shop.id },
    });
    const with_ = { client_id: made.id };
    const { body } = await exchange(await issuer.token(), with_);
    assert.equal((await use(body.access_token, `/v1/projects/${shop.id}`)).status, 200);
    assert.equal((await use(body.access_token, `/v1/projects/${tools.id}`)).status, 403);
    const [, error] = await refusal(await issuer.token(), { ...with_, project_id: tools.id });
    assert.equal(error, 'invalid_request');
  });

  test('what is taken from it counts at once, and without it its tokens are no more', async () => {
    const made = await created(admin, '/v1/workload-identities', { ...trust(), name: 'short' });
    const { body } = await exchange(await issuer.token(), { client_id: made.id });
    const path = `/v1/workload-identities/${made.id}`;
    assert.equal((await admin.call('PATCH', path, { scopes: ['builds:read'] })).status, 200);
    assert.equal((await use(body.access_token)).status, 403);
    assert.equal((await admin.call('PATCH', path, { scopes: trust().scopes })).status, 200);
    assert.equal((await use(body.access_token)).status, 200);
    assert.equal((await admin.call('DELETE', path)).status, 204);
    assert.equal((await use(body.access_token)).status, 401);
    assert.deepEqual((await refusal(await issuer.token(), { client_id: made.id })).slice(0, 2), [
      401,
      'invalid_client',
    ]);
    assert.equal((await admin.call('GET', path)).status, 404);
  });

  test('who was invited by it does not join once it could not invite him any more', async () => {
    const scopes = [...teamScopes];
    const made = await created(admin, '/v1/workload-identities', { ...trust(), name: 'inviter', scopes });
    const { body } = await exchange(await issuer.token(), { client_id: made.id });
    const invited = await send(given(), {
      ...{
        method: 'POST',
        url: '/v1/team/members',
        headers: { authorization: `Bearer ${body.access_token}` },
      },
      payload: { email: 'eve@example.com', role: 'owner' },
    });
    assert.equal(invited.status, 201, invited.text);
    const path = `/v1/team/members/${invited.body.id}`;
    assert.equal((await admin.call('GET', path)).status, 200);
    const fewer = { scopes: scopes.filter((scope) => scope !== 'owners:write') };
    await admin.call('PATCH', `/v1/workload-identities/${made.id}`, fewer);
    assert.equal((await admin.call('GET', path)).body.code, 'invitation_over');
  });

  test('another trust ends the tokens that were got by the one before, and none can be renewed', async () => {
    const made = await created(admin, '/v1/workload-identities', { ...trust(), name: 'moved' });
    const { body } = await exchange(await issuer.token(), { client_id: made.id });
    const path = `/v1/workload-identities/${made.id}`;
    const elsewhere = { claims: { sub: 'repo:acme/tools:*' } };
    assert.equal((await admin.call('PATCH', path, elsewhere)).status, 200);
    assert.equal((await use(body.access_token)).status, 401);
    assert.match(
      (await refusal(await issuer.token(), { client_id: made.id }))[2],
      /not of the workload moved/,
    );
    const [status, , why] = await refusal(await issuer.token(), { renewable: 'true' });
    assert.equal(status, 400);
    assert.match(why, /not renewable/);
  });

  test('a stranger learns of an issuer that cannot be asked no more than that', async () => {
    const away = await startIssuer();
    away.close();
    const made = await created(admin, '/v1/workload-identities', {
      ...trust(),
      ...{ name: 'away', issuer: away.issuer },
    });
    const [, , why] = await refusal(await issuer.token(), { client_id: made.id });
    assert.equal(
      why,
      `The issuer cannot be asked at ${away.issuer}/.well-known/openid-configuration: ECONNREFUSED.`,
    );
  });

  test('nobody gives what he does not have, trusts everybody, or asks for keys without TLS', async () => {
    const builder = await signIn(given(), given().keys.admin, { scope: 'keys:write builds:write' });
    const bad: [Client, object, string][] = [
      [builder, { scopes: ['builds:write', 'audit:read'] }, '#/scopes'],
      [admin, { claims: {} }, '#/claims'],
      [admin, { claims: { sub: '*', aud: '**' } }, '#/claims'],
      [admin, { claims: { iss: issuer.issuer, aud: 'ebb' } }, '#/claims'],
      [admin, { claims: { sub: 'x', '9x': { a: 1 } } }, '#/claims/9x'],
      [admin, { issuer: 'http://issuer.example.com' }, '#/issuer'],
      [admin, { issuer: 'https://[' }, '#/issuer'],
      [admin, { project_id: 'prj_01j000000000000000000000ab' }, '#/project_id'],
    ];
    for (const [client, change, pointer] of bad) {
      const answer = await client.call('POST', '/v1/workload-identities', {
        ...trust(),
        name: 'bad',
        ...change,
      });
      assert.equal(answer.status, 422, answer.text);
      assert.equal(answer.body.errors[0].pointer, pointer);
    }
    const taken = await admin.call('POST', '/v1/workload-identities', trust());
    assert.deepEqual([taken.status, taken.body.code], [409, 'name_taken']);
  });

  test('to another team it does not exist', async () => {
    const stranger = await signIn(given(), await addTeam(given(), 'wid-strangers'));
    for (const method of ['GET', 'PATCH', 'DELETE'] as const) {
      const answer = await stranger.call(
        method,
        `/v1/workload-identities/${id}`,
        method === 'PATCH' ? {} : undefined,
      );
      assert.equal(answer.status, 404, method);
    }
    assert.deepEqual((await stranger.call('GET', '/v1/workload-identities')).body.items, []);
  });
});
