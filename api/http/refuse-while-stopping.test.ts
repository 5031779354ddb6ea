import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { buildApp } from '../app.ts';
import { requestToken, send, signIn } from '../test-client.ts';
import { openTestContext, type TestContext } from '../test-context.ts';

let given: TestContext;
before(async () => {
  given = await openTestContext();
});
after(() => given.close());

test('a process that is being stopped refuses what still comes, and says when to send it again', async () => {
  const client = await signIn(given, given.keys.admin);
  const stop = new AbortController();
  const app = await buildApp(given.context, { closing: stop.signal });
  const at = { ...given, app };
  const headers = { authorization: `Bearer ${client.token}` };
  const ask = () => send(at, { method: 'GET', url: '/v1/projects', headers });
  assert.equal((await ask()).status, 200);
  stop.abort();
  const refused = await ask();
  assert.deepEqual([refused.status, refused.body.code], [503, 'stopping']);
  assert.deepEqual([refused.headers['retry-after'], refused.headers.connection], ['1', 'close']);
  assert.equal(refused.headers['x-content-type-options'], 'nosniff');
  const token = await requestToken(at, { client_secret: given.keys.admin });
  assert.deepEqual([token.status, token.body.error], [503, 'server_error']);
  assert.equal((await send(at, { method: 'GET', url: '/v1/health' })).status, 200);
});
