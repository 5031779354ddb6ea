import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { RedisServer } from '../queue/redis-server.ts';
import { startRedis } from '../queue/test-redis.ts';
import { type ApiForTests, startApi } from './api-for-tests.ts';
import { startPostgres } from './postgres.ts';

const entry = fileURLToPath(new URL('../cli/ebb.ts', import.meta.url));

let folder: string;
let postgres: Awaited<ReturnType<typeof startPostgres>>;
let redis: RedisServer;
let api: ApiForTests;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-audit-'));
  postgres = await startPostgres();
  redis = await startRedis();
  const signal = AbortSignal.timeout(300_000);
  api = await startApi({ folder, databaseUrl: postgres.url, redisUrl: redis.url, signal });
});
after(async () => {
  await api.stop();
  await redis.close();
  await postgres.close();
  await rm(folder, { recursive: true });
});

/** Runs a command of somebody who has an API key and, as an operator, the database and the API's keys. */
async function ebb(words: string[], changes: Record<string, string> = {}) {
  const env = {
    ...{ PATH: process.env.PATH ?? '', EBB_ENDPOINT: api.url, EBB_API_KEY: api.adminKey },
    ...{ EBB_DATABASE_URL: postgres.url, EBB_KEYS_DIR: join(folder, 'keys') },
    ...changes,
  };
  return await new Promise<{ code: number; output: string; problem: string }>((resolve) => {
    execFile(process.execPath, [entry, ...words], { env }, (error, output, problem) =>
      resolve({ code: error ? 1 : 0, output, problem }),
    );
  });
}

const file = (name: string) => join(folder, name);
const keep = async (name: string, words: string[]) => {
  const { code, output, problem } = await ebb(words);
  assert.equal(code, 0, problem);
  await writeFile(file(name), output);
  return file(name);
};

test('a team exports its trail, keeps a head, and checks both by commands, offline', async () => {
  const head = await keep('head.json', ['audit', 'head']);
  const made = await ebb(['api-key', 'create', '--name', 'made-by-hand']);
  assert.match(made.output, /^ebb_/);
  const trail = await keep('trail.jsonl', ['audit', 'export']);
  const text = await readFile(trail, 'utf8');
  assert.match(text, /"action":"api_key.created","actor":"operator".*made-by-hand/);
  assert.ok(!text.includes(made.output.trim()));
  const jwks = file('jwks.json');
  await writeFile(jwks, await (await fetch(`${api.url}/.well-known/jwks.json`)).text());

  const offline = { EBB_ENDPOINT: 'http://127.0.0.1:9' };
  const verified = await ebb(['verify', 'audit', trail, '--jwks', jwks, '--head', head], offline);
  assert.deepEqual([verified.code, verified.problem], [0, '']);
  assert.match(verified.output, /^The audit trail holds.*the kept head lies on the chain/s);

  await writeFile(file('edited.jsonl'), text.replace('made-by-hand', 'made-by-mind'));
  const edited = await ebb(['verify', 'audit', file('edited.jsonl'), '--jwks', jwks], offline);
  assert.equal(edited.code, 1);
  assert.match(edited.problem, /^ebb: The audit trail does not hold: Entry \d+ \(line \d+\) was edited/);
});

test('a command with other keys than the API has writes nothing, so that the trail stays whole', async () => {
  const refused = await ebb(['api-key', 'create', '--name', 'strange'], { EBB_KEYS_DIR: file('other-keys') });
  assert.equal(refused.code, 1);
  assert.match(refused.problem, /another key than the one that the API signs/);
  const { items } = await api.client.get<{ items: object[] }>('/v1/audit-events');
  assert.ok(!JSON.stringify(items).includes('strange'));
});
