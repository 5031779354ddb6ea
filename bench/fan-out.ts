import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createClient } from '../cli/client.ts';
import { createRedisQueue } from '../queue/redis-queue.ts';
import type { ApiForTests } from '../test/api-for-tests.ts';
import { watchMemory } from '../test/watch-memory.ts';
import { type Measure, rounded } from './report.ts';

const bench = 'api';
const watchers = Number(process.env.EBB_BENCH_WATCHERS ?? 500);
const fewWatchers = 10;
const watchersPerKey = 100;
const line = `${'a line that a test prints, of the usual length of those that people read'.padEnd(79)}\n`;
const linesAtOnce = 50;
const totalLines = Number(process.env.EBB_BENCH_LINES ?? 4_000);

/** A log that grows while many watch it; `closing` is given what is to be closed. */
export async function fanOut(
  api: ApiForTests,
  o: { folder: string; redisUrl: string; inspected: number; closing: (() => unknown)[] },
): Promise<Measure[]> {
  const build = await beginBuild(api, o);
  const memory = await watchMemory(api.pid(), o.inspected);
  o.closing.push(memory.close);
  const child = fork(fileURLToPath(new URL('log-watchers.ts', import.meta.url)));
  o.closing.push(() => child.kill('SIGTERM'));
  const tokens = await makeTokens(api, Math.ceil(watchers / watchersPerKey));
  const watch = async (count: number) => {
    child.send({ url: `${api.url}/v1/builds/${build.id}/events`, tokens, watchers: count });
    await once(child, 'message');
  };
  await watch(fewWatchers);
  await build.print(linesAtOnce);
  await delay(2_000);
  const before = await memory.look();
  await watch(watchers);
  await delay(2_000);
  const after = await memory.look();
  const kilobytes = ((after.rss - before.rss) * 1024) / (watchers - fewWatchers);
  const start = performance.now();
  for (let printed = 0; printed < totalLines; printed += linesAtOnce) await build.print(linesAtOnce);
  const read = once(child, 'message');
  child.send({ end: build.length() });
  await read;
  const took = (performance.now() - start) / 1000;
  const rate = (totalLines * watchers) / took;
  const heap = rounded(((after.heap - before.heap) * 1024) / (watchers - fewWatchers), 1);
  return [
    {
      ...{ bench, measure: `lines to ${watchers} watchers of one log, in sum`, value: Math.round(rate) },
      ...{ unit: 'lines/s', against: null, ratio: null, target: '>= 50000', met: rate >= 50_000 },
    },
    {
      ...{ bench, measure: 'memory of the API per watcher', value: rounded(kilobytes, 1), unit: 'KB' },
      ...{ against: `of it on the heap: ${heap} KB`, ratio: null, target: '<= 60', met: kilobytes <= 60 },
    },
  ];
}

/** Of API keys of the team, each of which may read so many logs at once. */
async function makeTokens({ client, url }: ApiForTests, count: number): Promise<string[]> {
  const tokens: string[] = [];
  for (let number = 0; number < count; number += 1) {
    const wanted = { name: `watchers-${number}`, scopes: ['builds:read', 'logs:read'] };
    const { secret } = await client.post<{ secret: string }>('/v1/api-keys', wanted);
    tokens.push(await createClient({ endpoint: url, apiKey: secret }).token());
  }
  return tokens;
}

/** A build that a runner has claimed, which this one is; `print` appends lines to its log. */
async function beginBuild(
  api: ApiForTests,
  { folder, redisUrl, closing }: { folder: string; redisUrl: string; closing: (() => unknown)[] },
) {
  const queue = await createRedisQueue({ url: redisUrl });
  closing.push(queue.close);
  const apiKey = await readFile(join(folder, 'runner.key'), 'utf8');
  const runner = createClient({ endpoint: api.url, apiKey });
  const holder = 'bench/1';
  const entry = await queue.claim(holder, 600_000);
  if (!entry) throw new Error('No build waits.');
  const claimed = await runner.post<{ token: string; attempt: number }>(`/v1/builds/${entry.build}/claim`, {
    lease_holder: holder,
  });
  const headers = {
    authorization: `Bearer ${claimed.token}`,
    'content-type': 'application/octet-stream',
  };
  let offset = 0;
  return {
    id: entry.build,
    length: () => offset,
    async print(lines: number) {
      const body = line.repeat(lines);
      const url = `${api.url}/v1/builds/${entry.build}/log?attempt=${claimed.attempt}&offset=${offset}`;
      const answer = await fetch(url, { method: 'POST', headers, body });
      if (!answer.ok)
        throw new Error(`A part of the log was answered ${answer.status}: ${await answer.text()}`);
      offset += body.length;
    },
  };
}
