import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { connectRedis } from '../../queue/redis-connection.ts';
import { startRedis } from '../../queue/test-redis.ts';
import { buildApp } from '../app.ts';
import { browserOf } from '../people/browser-for-tests.ts';
import { addOperator, addTeam, requestToken, send, signIn } from '../test-client.ts';
import { openTestContext, type TestContext } from '../test-context.ts';
import type { RateLimits } from './rate-limits.ts';

suite('rate limits', () => {
  let given: TestContext;
  before(async () => {
    given = await openTestContext();
  });
  after(() => given.close());

  /** Another API process on the same database. */
  const processWith = async (limits: Partial<RateLimits>): Promise<TestContext> => ({
    ...given,
    app: await buildApp(given.context, {
      rateLimits: { perKey: 1_000, refusalsPerAddress: 1_000, ...limits },
    }),
  });
  const guess = (at: TestContext, remoteAddress = '203.0.113.7') =>
    send(at, { method: 'GET', url: '/v1/projects', headers: { authorization: 'Bearer x' }, remoteAddress });

  test('an API key that asks too much is told when it may go on, whatever token it uses; another goes on', async () => {
    // Two of them are for the tokens.
    const at = await processWith({ perKey: 5 });
    const key = await addTeam(given, 'eager');
    const [first, second] = [await signIn(at, key), await signIn(at, key)];
    const answers = [];
    for (const client of [first, second, first, second])
      answers.push(await client.call('GET', '/v1/projects'));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200, 429],
    );
    assert.deepEqual(
      answers.map(({ headers }) => headers['ratelimit-remaining']),
      [2, 1, 0, 0].map(String),
    );
    const last = answers.at(-1);
    assert.equal(last?.body.code, 'rate_limited');
    assert.match(
      last?.body.detail,
      /^This API key made more than 5 requests within a minute\. Go on in \d+ s\.$/,
    );
    assert.equal(last?.headers['retry-after'], last?.headers['ratelimit-reset']);
    const other = await signIn(at, await addTeam(given, 'calm'));
    assert.equal((await other.call('GET', '/v1/projects')).status, 200);
  });

  test('requests for tokens and renewals are counted with the others of their key, an end of a token is not', async () => {
    const at = await processWith({ perKey: 3 });
    const key = await addTeam(given, 'forgetful');
    const post = (path: string, token: string) =>
      send(at, {
        ...{ method: 'POST', url: path, payload: new URLSearchParams({ token }).toString() },
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      });
    const { token } = await signIn(at, key, { renewable: 'true' });
    await signIn(at, key);
    assert.equal((await post('/v1/token/renew', token)).status, 200);
    for (const refused of [
      await requestToken(at, { client_secret: key }),
      await post('/v1/token/renew', token),
    ]) {
      assert.equal(refused.status, 429);
      assert.match(refused.body.error_description, /^This API key made more than 3 requests within a minute/);
      assert.ok(Number(refused.headers['retry-after']) > 0);
    }
    assert.equal((await post('/v1/token/revoke', token)).status, 200);
    const wrong = { client_secret: `ebb_${'x'.repeat(43)}` };
    for (let count = 0; count < 5; count++) assert.equal((await requestToken(at, wrong)).status, 401);
    await signIn(at, await addTeam(given, 'thoughtful'));
  });

  test('a token that was revoked uses up nothing of what its key may ask', async () => {
    const at = await processWith({ perKey: 4 });
    const key = await addTeam(given, 'careless');
    const post = (path: string, token: string) =>
      send(at, {
        ...{ method: 'POST', url: path, payload: new URLSearchParams({ token }).toString() },
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      });
    const { token } = await signIn(at, key, { renewable: 'true' });
    assert.equal((await post('/v1/token/revoke', token)).status, 200);
    for (let count = 0; count < 10; count++) assert.equal((await post('/v1/token/renew', token)).status, 400);
    const client = await signIn(at, key);
    assert.equal((await client.call('GET', '/v1/projects')).status, 200);
  });

  test('a runner is not counted: one key serves all of them', async () => {
    const at = await processWith({ perKey: 1 });
    const runner = await signIn(at, await addOperator(given, ['runner']));
    for (let count = 0; count < 3; count++)
      assert.notEqual(
        (await runner.call('POST', '/v1/builds/bld_none/claim', { lease_holder: 'a' })).status,
        429,
      );
  });

  test('an address that keeps failing to say who it is is not listened to; its neighbour and its hooks are', async () => {
    const at = await processWith({ refusalsPerAddress: 2 });
    const statuses = [];
    for (let count = 0; count < 5; count++) statuses.push((await guess(at)).status);
    assert.deepEqual(statuses, [401, 401, 401, 429, 429]);
    const blocked = await guess(at);
    assert.equal(blocked.body.code, 'too_many_refusals');
    assert.ok(Number(blocked.headers['retry-after']) > 0);
    assert.equal((await guess(at, '203.0.113.8')).status, 401);
    const hook = { method: 'POST', url: '/v1/hooks/hook_none', remoteAddress: '203.0.113.7' } as const;
    assert.equal((await send(at, hook)).status, 404);
  });

  test('who shares a blocked address and has a token that is signed goes on, and can get one', async () => {
    const at = await processWith({ refusalsPerAddress: 1 });
    const key = await addTeam(given, 'neighbours');
    const remoteAddress = '203.0.113.9';
    const { token } = await signIn(at, key);
    for (let count = 0; count < 3; count++) await guess(at, remoteAddress);
    assert.equal((await guess(at, remoteAddress)).status, 429);
    const headers = { authorization: `Bearer ${token}` };
    const asked = { method: 'GET', url: '/v1/projects', remoteAddress, headers } as const;
    assert.equal((await send(at, asked)).status, 200);
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const payload = `grant_type=client_credentials&client_secret=${key}`;
    const exchange = { method: 'POST', url: '/v1/token', remoteAddress, headers: form, payload } as const;
    assert.equal((await send(at, exchange)).status, 200);
    assert.equal((await send(at, { method: 'GET', url: '/v1/health', remoteAddress })).status, 200);
  });

  test('a session that is good lifts the block of an address, and no other cookie does', async () => {
    const at = await processWith({ refusalsPerAddress: 1 });
    const remoteAddress = '203.0.113.10';
    const { cookies } = await browserOf(given, 'colleague@example.com');
    for (let count = 0; count < 3; count++) await guess(at, remoteAddress);
    const ask = async (cookie: string) =>
      (await send(at, { method: 'GET', url: '/v1/person', remoteAddress, headers: { cookie } })).status;
    assert.equal(await ask(`ebb_session=${cookies.get('ebb_session')}`), 200);
    for (const other of ['theme=dark', 'ebb_session=x', `ebb_session=${'x'.repeat(43)}`, 'ebb_known=x'])
      assert.equal(await ask(other), 429, other);
  });

  test('of IPv6 a whole network of one customer counts as one address', async () => {
    const at = await processWith({ refusalsPerAddress: 1 });
    const statuses = [];
    for (const last of ['1', 'ffff', 'abcd'])
      statuses.push((await guess(at, `2001:db8:1:2::${last}`)).status);
    assert.deepEqual(statuses, [401, 401, 429]);
    assert.equal((await guess(at, '2001:db8:1:3::1')).status, 401);
  });

  test('two processes count together, by Redis; while it is away nothing is limited', async (t) => {
    const server = await startRedis();
    const redis = await connectRedis({ url: server.url }, { impatient: true });
    t.after(() => redis.disconnect());
    const [one, two] = [await processWith({ perKey: 4, redis }), await processWith({ perKey: 4, redis })];
    const key = await addTeam(given, 'spread');
    const [here, there] = [await signIn(one, key), await signIn(two, key)];
    const statuses = [];
    for (const client of [here, there, here, there])
      statuses.push((await client.call('GET', '/v1/projects')).status);
    assert.deepEqual(statuses, [200, 200, 429, 429]);
    await server.close();
    assert.equal((await here.call('GET', '/v1/projects')).status, 200);
  });
});
