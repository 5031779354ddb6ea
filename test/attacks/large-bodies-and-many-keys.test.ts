import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ApiUnderAttack, startApiUnderAttack } from './api-under-attack.ts';

/* What costs memory for each request or for each one who asks: it must not add up. */

let api: ApiUnderAttack;
before(async () => {
  api = await startApiUnderAttack(0);
});
after(() => api.close());

const patience = () => AbortSignal.timeout(60_000);
const post = async (body: string, token = api.token) => {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const answer = await fetch(`${api.url}/v1/projects`, { method: 'POST', headers, body, signal: patience() });
  await answer.arrayBuffer();
  return answer.status;
};
const isHealthy = async () => {
  const headers = { authorization: `Bearer ${api.token}` };
  const answer = await fetch(`${api.url}/v1/projects`, { headers, signal: patience() });
  await answer.arrayBuffer();
  return answer.status === 200;
};

/** Does it once, so that code and caches are there, and then many times: what is kept must not grow as the times do. */
async function staysSmall(times: number, attack: (number: number) => Promise<void>): Promise<void> {
  for (let number = 0; number < 20; number += 1) await attack(-number);
  const before = await api.heap();
  for (let number = 0; number < times; number += 1) {
    await attack(number);
    if (number % 20 === 0) assert.ok(await isHealthy());
  }
  const after = await api.heap();
  assert.ok(after - before < 25, `from ${before} to ${after} MB`);
}

test('JSON of a megabyte is judged or refused, JSON that is larger is not read, and neither is kept', async () => {
  const fits = JSON.stringify({ name: 'shop', test: Array(900).fill('a'.repeat(1_000)) });
  const wide = JSON.stringify(Array(200_000).fill(1));
  const larger = JSON.stringify({ name: 'a'.repeat(1024 * 1024) });
  await staysSmall(100, async () => {
    assert.equal(await post(fits), 422);
    assert.equal(await post(wide), 422);
    assert.equal(await post(larger), 413);
  });
});

test('JSON that is nested a hundred thousand times is refused, however it is nested', async () => {
  const depth = 100_000;
  const bodies = [
    `${'['.repeat(depth)}${']'.repeat(depth)}`,
    `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`,
    `{"test":${'['.repeat(depth)}${']'.repeat(depth)}}`,
    '['.repeat(depth),
  ];
  await staysSmall(25, async () => {
    for (const body of bodies) assert.ok([400, 422].includes(await post(body)));
  });
});

test('thousands of keys, tokens and teams that nobody knows leave nothing behind', async () => {
  await staysSmall(40, async () => {
    const statuses = await Promise.all(
      Array.from({ length: 50 }, () => post('{}', `ebb_${crypto.randomUUID()}${'x'.repeat(1_000)}`)),
    );
    for (const status of statuses) assert.ok(status === 401 || status === 429, String(status));
  });
});
