import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startApiUnderAttack } from '../test/attacks/api-under-attack.ts';
import { askAndNotRead, openIdle, trickle } from '../test/attacks/attackers.ts';
import type { HealthyLoad, HealthyTimes } from './healthy-client.ts';
import { type Measure, report, rounded } from './report.ts';
import { percentile } from './steady-load.ts';

// A healthy client asks at a steady rate, alone and then beside each attack; the attackers are a process of their own, and
// so is the API. Its p99 beside an attack is compared with that of the quiet spell just before.
const seconds = Number(process.env.EBB_BENCH_SECONDS ?? 10);
const rate = 20;
const maxRatio = 3;
const logBytes = 16 * 1024 * 1024;

const api = await startApiUnderAttack(logBytes);
const child = fork(fileURLToPath(new URL('healthy-client.ts', import.meta.url)));
try {
  const { url, token } = api;
  const post = (body: string, authorization: string) =>
    fetch(`${url}/v1/projects`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization },
      body,
    }).then(async (answer) => void (await answer.arrayBuffer()));
  const giant = JSON.stringify({ name: 'shop', test: Array(900).fill('a'.repeat(1_000)) });
  const deep = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`;
  const owner = `Bearer ${token}`;
  const slowHead = `GET /v1/projects HTTP/1.1\r\nHost: ebb\r\nX-Slow: ${'a'.repeat(10_000)}`;
  const head = `POST /v1/projects HTTP/1.1\r\nHost: ebb\r\nAuthorization: ${owner}\r\n`;
  const beginning = `${head}Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"name":"`;
  const watched = { url, token, connections: 50, path: `/v1/builds/${api.build}/events` };
  const attacks: [string, () => Promise<() => void>][] = [
    ['200 clients whose headers come a byte at a time', slow({ url, slowly: slowHead })],
    [
      '200 clients whose bodies come a byte at a time',
      slow({ url, atOnce: beginning, slowly: 'a'.repeat(10_000) }),
    ],
    ['1,000 connections that say nothing', async () => (await openIdle({ url, connections: 1_000 })).stop],
    ['50 watchers of a log who do not read', async () => (await askAndNotRead(watched)).stop],
    ['giant JSON, 2 at a time', async () => repeat(2, () => post(giant, owner))],
    ['deep JSON, 2 at a time', async () => repeat(2, () => post(deep, owner))],
    [
      'ever other tokens, 4 at a time',
      async () => repeat(4, () => post('{}', `Bearer ${crypto.randomUUID()}`)),
    ],
  ];
  await healthy();
  const measures: Measure[] = [];
  for (const [name, begin] of attacks) {
    const before = await healthy();
    const stop = await begin();
    const during = await healthy();
    stop();
    await delay(2_000);
    const after = await healthy();
    const quiet = percentile(
      [...before.times, ...after.times].sort((a, b) => a - b),
      0.99,
    );
    const p99 = percentile(during.times, 0.99);
    const ratio = p99 / quiet;
    measures.push({
      ...{
        bench: 'attack',
        measure: `p99 of a healthy client beside ${name}`,
        value: rounded(p99),
        unit: 'ms',
      },
      ...{ against: `quiet: ${rounded(quiet)} ms; not answered: ${during.failed}`, ratio: rounded(ratio) },
      ...{ target: `ratio <= ${maxRatio}, all answered`, met: ratio <= maxRatio && during.failed === 0 },
    });
  }
  report(measures);
} finally {
  child.kill('SIGTERM');
  await api.close();
}

async function healthy(): Promise<HealthyTimes> {
  const answer = once(child, 'message');
  const load: HealthyLoad = { url: `${api.url}/v1/projects`, token: api.token, rate, seconds };
  child.send(load);
  const [times] = await answer;
  return times as HealthyTimes;
}

function slow(target: { url: string; atOnce?: string; slowly: string }): () => Promise<() => void> {
  return async () => (await trickle({ ...target, connections: 200, everyMs: 100 })).stop;
}

/** Asks again as soon as it was answered, so many at a time, until it is told to stop. */
function repeat(atOnce: number, ask: () => Promise<void>): () => void {
  let isOver = false;
  const goOn = async () => {
    while (!isOver) await ask().catch(() => delay(100));
  };
  for (let number = 0; number < atOnce; number += 1) void goOn();
  return () => {
    isOver = true;
  };
}
