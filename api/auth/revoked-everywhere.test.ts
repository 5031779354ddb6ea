import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connectRedis } from '../../queue/redis-connection.ts';
import { startRedis } from '../../queue/test-redis.ts';
import { startPostgres } from '../../test/postgres.ts';
import { buildApp } from '../app.ts';
import { connectDatabase, type Database } from '../db/database.ts';
import { created, declareProject, send, signIn } from '../test-client.ts';
import { openTestContext, type TestContext } from '../test-context.ts';
import { createTokenSigner } from '../token-keys/token-signer.ts';

/* Two processes of the API share PostgreSQL and Redis. What one revokes, the other refuses, and Redis has no part in it. */

let postgres: Awaited<ReturnType<typeof startPostgres>>;
let redis: Awaited<ReturnType<typeof startRedis>>;
let client: Awaited<ReturnType<typeof connectRedis>>;
let one: TestContext;
let other: TestContext;
let database: Database;

before(async () => {
  postgres = await startPostgres();
  redis = await startRedis();
  client = await connectRedis({ url: redis.url }, { impatient: true });
  const rateLimits = { perKey: 10_000, refusalsPerAddress: 10_000, redis: client };
  const first = await openTestContext({ url: postgres.url });
  one = { ...first, app: await buildApp(first.context, { rateLimits }) };
  database = await connectDatabase({ url: postgres.url });
  const { custody, publicUrl: issuer, now } = first.context;
  const tokens = createTokenSigner({ database, sealing: custody.tokenKeySealing, issuer, now });
  other = { ...first, app: await buildApp({ ...first.context, database, tokens }, { rateLimits }) };
});
after(async () => {
  await other.app.close();
  await database.destroy();
  client.disconnect();
  await redis.close();
  await one.close();
  await postgres.close();
});

const works = async (where: TestContext, token: string) => {
  const headers = { authorization: `Bearer ${token}` };
  return (await send(where, { method: 'GET', url: '/v1/projects', headers })).status === 200;
};
const end = (where: TestContext, token: string) =>
  send(where, {
    ...{ method: 'POST', url: '/v1/token/revoke', payload: new URLSearchParams({ token }).toString() },
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });

/** Each way to end tokens: makes one, and gives what ends it. */
const ways: Record<string, () => Promise<{ token: string; revoke: () => Promise<unknown> }>> = {
  'a token that is revoked': async () => {
    const { token } = await signIn(one, one.keys.admin);
    return { token, revoke: () => end(one, token) };
  },
  'a renewable token that is revoked': async () => {
    const { token } = await signIn(one, one.keys.admin, { renewable: 'true' });
    return { token, revoke: () => end(one, token) };
  },
  'a token whose key is revoked': async () => {
    const admin = await signIn(one, one.keys.admin);
    const key = { name: 'short', scopes: ['projects:read'] };
    const { id, secret } = await created<{ id: string; secret: string }>(admin, '/v1/api-keys', key);
    const { token } = await signIn(one, secret);
    return { token, revoke: () => admin.call('DELETE', `/v1/api-keys/${id}`) };
  },
  'a token of a project that is revoked': async () => {
    const admin = await signIn(one, one.keys.admin);
    const { id } = await declareProject(one, admin);
    const { token } = await signIn(one, one.keys.admin, { project_id: id });
    return { token, revoke: () => admin.call('POST', `/v1/projects/${id}/revoke`, {}) };
  },
};

for (const [what, make] of Object.entries(ways))
  test(`${what} is refused by the other process from the next request on, also after Redis lost everything`, async () => {
    const { token, revoke } = await make();
    for (const where of [one, other]) assert.ok(await works(where, token));
    await revoke();
    // Not within a second, but at once: no process keeps what it knew of a token or key.
    for (const where of [other, one]) assert.ok(!(await works(where, token)));
    await client.flushall();
    for (const where of [other, one]) assert.ok(!(await works(where, token)));
  });

test('while Redis is away what was revoked stays so, and more is revoked, on both processes', async () => {
  const { token: revoked } = await signIn(one, one.keys.admin);
  await end(one, revoked);
  const { token } = await signIn(one, one.keys.admin);
  for (const where of [one, other]) assert.ok(await works(where, token));
  await redis.close();
  for (const where of [one, other]) {
    assert.ok(!(await works(where, revoked)));
    assert.ok(await works(where, token));
  }
  assert.equal((await end(other, token)).status, 200);
  for (const where of [one, other]) assert.ok(!(await works(where, token)));
});
