import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { connectionLimits } from '../../api/http/connection-limits.ts';
import { type ApiUnderAttack, startApiUnderAttack } from './api-under-attack.ts';
import { askAndNotRead, openIdle, trickle } from './attackers.ts';

/* Clients that take their time, and what the API does about each: all at once, against one process. */

const logBytes = 24 * 1024 * 1024;
let api: ApiUnderAttack;
before(async () => {
  api = await startApiUnderAttack(logBytes);
});
after(() => api.close());

const { headersTimeout, requestTimeout, connectionTimeout, connectionsCheckingInterval } = connectionLimits;
// Not how fast it is, but that it comes at all: the machine may be busy with other things.
const slackMs = 60_000;
const ask = () =>
  fetch(`${api.url}/v1/projects`, {
    headers: { authorization: `Bearer ${api.token}` },
    signal: AbortSignal.timeout(slackMs),
  });

/** Asks as everybody does, until the attack is over: each time there must be an answer. */
async function answersMeanwhile<T>(attack: Promise<T>): Promise<T> {
  let isOver = false;
  const over = attack.finally(() => {
    isOver = true;
  });
  do {
    const answer = await ask();
    assert.equal(answer.status, 200);
    await answer.arrayBuffer();
    await delay(500);
  } while (!isOver);
  return await over;
}

function endedAfter(lasted: number, limitMs: number): void {
  assert.ok(lasted >= limitMs, `ended after ${lasted} ms, before its time`);
  assert.ok(lasted <= limitMs + connectionsCheckingInterval + slackMs, `ended after ${lasted} ms`);
}

describe('while others are answered', { concurrency: true }, () => {
  test('headers that come a byte at a time are cut off in the time that headers have', async () => {
    const slowly = `GET /v1/projects HTTP/1.1\r\nHost: ebb\r\nX-Slow: ${'a'.repeat(10_000)}`;
    const attack = await trickle({ url: api.url, connections: 100, slowly, everyMs: 200 });
    endedAfter(await answersMeanwhile(attack.ended), headersTimeout);
    assert.deepEqual(new Set(attack.answers()), new Set(['HTTP/1.1 408 Request Timeout']));
  });

  test('a body that comes a byte at a time is cut off in the time that requests have', async () => {
    const head = `POST /v1/projects HTTP/1.1\r\nHost: ebb\r\nAuthorization: Bearer ${api.token}\r\n`;
    const atOnce = `${head}Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"name":"`;
    const slowly = 'a'.repeat(10_000);
    const attack = await trickle({ url: api.url, connections: 100, atOnce, slowly, everyMs: 200 });
    endedAfter(await answersMeanwhile(attack.ended), requestTimeout);
  });

  test('a thousand connections that say nothing are ended', async () => {
    const attack = await openIdle({ url: api.url, connections: 1_000 });
    endedAfter(await answersMeanwhile(attack.ended), headersTimeout);
  });

  test('who asks for logs and does not read them is dropped, and costs little memory until then', async () => {
    const before = api.memory();
    const target = { url: api.url, token: api.token, connections: 10 };
    const attacks = await Promise.all([
      askAndNotRead({ ...target, path: `/v1/builds/${api.build}/events` }),
      askAndNotRead({ ...target, path: `/v1/builds/${api.build}/log` }),
    ]);
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, api.memory());
    }, 200);
    const givenUp = async () => {
      const until = performance.now() + 2 * connectionTimeout + 2 * slackMs;
      while (attacks.some(({ held }) => held() > 0) && performance.now() < until) await delay(500);
    };
    await answersMeanwhile(givenUp());
    clearInterval(watch);
    assert.deepEqual(
      attacks.map(({ held }) => held()),
      [0, 0],
    );
    for (const { stop } of attacks) stop();
    // All of the logs would be 20 x 24 MB, a part of each 20 x 1 MB, some of it twice: as text and as bytes.
    assert.ok(most - before < 250, `from ${before} to ${most} MB`);
  });
});

test('no more logs and streams are read with one key than it may, and others after they ended', async () => {
  const path = `/v1/builds/${api.build}/events`;
  const attack = await askAndNotRead({
    url: api.url,
    token: api.token,
    connections: 100,
    path,
    lastEventId: logBytes,
  });
  const headers = { authorization: `Bearer ${api.token}` };
  const read = () => fetch(`${api.url}${path}`, { headers, signal: AbortSignal.timeout(slackMs) });
  let answer = await read();
  for (; answer.status === 200; answer = await read()) {
    await answer.body?.cancel();
    await delay(100);
  }
  const problem = (await answer.json()) as { code: string };
  assert.deepEqual([answer.status, problem.code], [429, 'too_many_readers']);
  assert.equal((await ask()).status, 200);
  attack.stop();
  for (answer = await read(); answer.status === 429; answer = await read()) await delay(100);
  assert.equal(answer.status, 200);
  await answer.body?.cancel();
});
