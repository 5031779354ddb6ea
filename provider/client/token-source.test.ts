import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTokenSource } from './token-source.ts';

function source(expiresInSeconds: number) {
  const clock = { now: 0 };
  let issued = 0;
  const issue = async () => {
    issued += 1;
    return { accessToken: `token ${issued}`, expiresInSeconds };
  };
  return { clock, tokens: createTokenSource(issue, () => clock.now) };
}

test('a token is used until a minute before it expires', async () => {
  const { clock, tokens } = source(600);
  assert.equal(await tokens.current(), 'token 1');
  clock.now = 539_999;
  assert.equal(await tokens.current(), 'token 1');
  clock.now = 540_000;
  assert.equal(await tokens.current(), 'token 2');
});

test('of a short life a fifth is kept in hand', async () => {
  const { clock, tokens } = source(10);
  await tokens.current();
  clock.now = 8000;
  assert.equal(await tokens.current(), 'token 2');
});

test('callers at the same time share one request', async () => {
  const { tokens } = source(600);
  assert.deepEqual(await Promise.all([tokens.current(), tokens.current()]), ['token 1', 'token 1']);
});

test('a refused token is replaced, once for all who held it', async () => {
  const { tokens } = source(600);
  const refused = await tokens.current();
  tokens.discard(refused);
  assert.equal(await tokens.current(), 'token 2');
  tokens.discard(refused);
  assert.equal(await tokens.current(), 'token 2');
});

test('a failure is told and the next caller tries anew', async () => {
  let calls = 0;
  const tokens = createTokenSource(async () => {
    calls += 1;
    if (calls === 1) throw new Error('refused');
    return { accessToken: 'token', expiresInSeconds: 600 };
  });
  await assert.rejects(tokens.current(), /refused/);
  assert.equal(await tokens.current(), 'token');
});
