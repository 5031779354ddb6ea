import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { buildApp } from '../app.ts';
import { send } from '../test-client.ts';
import { openTestContext, type TestContext } from '../test-context.ts';

let given: TestContext;
before(async () => {
  given = await openTestContext();
});
after(() => given.close());

const notices = () => given.logged().split('a proxy on this machine').length - 1;

test('a proxy on the machine that is not declared is said once in the log; a stranger cannot make it said', async () => {
  const app = await buildApp(given.context);
  const ask = (remoteAddress: string, headers: Record<string, string>) =>
    send({ ...given, app }, { method: 'GET', url: '/v1/health', remoteAddress, headers });
  await ask('203.0.113.7', { 'x-forwarded-for': '198.51.100.1' });
  await ask('127.0.0.1', {});
  assert.equal(notices(), 0);
  for (let count = 0; count < 3; count += 1) await ask('127.0.0.1', { 'x-forwarded-for': '198.51.100.1' });
  assert.equal(notices(), 1);
});

test('one that is declared is not', async () => {
  const before = notices();
  const app = await buildApp(given.context, { behindRouter: true });
  const headers = { 'x-forwarded-for': '198.51.100.1', 'x-forwarded-proto': 'https' };
  const answer = await send({ ...given, app }, { method: 'GET', url: '/v1/health', headers });
  assert.equal(answer.status, 200);
  assert.equal(notices(), before);
});
