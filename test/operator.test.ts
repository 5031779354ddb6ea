import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createClient } from '../cli/client.ts';
import { freePort } from '../queue/free-port.ts';
import type { RedisServer } from '../queue/redis-server.ts';
import { startRedis } from '../queue/test-redis.ts';

const entry = fileURLToPath(new URL('../cli/ebb.ts', import.meta.url));
const firstKey = `ebb_${'f'.repeat(43)}`;

let folder: string;
let redis: RedisServer;
let environment: Record<string, string>;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-operator-'));
  redis = await startRedis();
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  environment = {
    PATH: process.env.PATH ?? '',
    EBB_DATA_DIR: join(folder, 'data'),
    EBB_KEYS_DIR: join(folder, 'keys'),
    EBB_REDIS_URL: redis.url,
    EBB_KEY_ENCRYPTION_KEY: JSON.stringify(publicKey.export({ format: 'jwk' })),
  };
});
after(async () => {
  await redis.close();
  await rm(folder, { recursive: true });
});

function start(words: string[], changes: Record<string, string> = {}) {
  const child = spawn(process.execPath, [entry, ...words], {
    env: { ...environment, ...changes },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const ended = once(child, 'close').then(([code]) => code as number);
  return { child, ended, output: () => output };
}

async function ebb(...words: string[]) {
  const run = start(words);
  return { code: await run.ended, output: run.output() };
}

/** Runs the API while `use` runs. */
async function withApi(use: (url: string) => Promise<void>, changes: Record<string, string> = {}) {
  const listen = `127.0.0.1:${await freePort()}`;
  const api = start(['api'], { EBB_LISTEN: listen, ...changes });
  try {
    while (!api.output().includes('Server listening'))
      await Promise.race([once(api.child.stdout, 'data'), api.ended.then(() => assert.fail(api.output()))]);
    await use(`http://${listen}`);
  } finally {
    api.child.kill('SIGTERM');
    await api.ended;
  }
}

const signIn = (endpoint: string, apiKey: string) => createClient({ endpoint, apiKey }).token();

test('a start on an address that is taken makes no keys; the next one makes them', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  const own = { EBB_DATA_DIR: join(folder, 'own'), EBB_FIRST_ADMIN_KEY: firstKey };
  const failed = start(['api'], { EBB_LISTEN: `127.0.0.1:${port}`, ...own });
  assert.equal(await failed.ended, 1);
  assert.match(failed.output(), /ebb: EBB_LISTEN is .*, where something listens already/);
  taken.close();
  const listed = start(['api-key', 'list'], own);
  assert.deepEqual([await listed.ended, listed.output()], [0, '']);

  await withApi(async (url) => void (await signIn(url, firstKey)), own);
});

test('while the API has its folder open, nothing else opens it', async () => {
  await withApi(async () => {
    const { code, output } = await ebb('api-key', 'list');
    assert.equal(code, 1);
    assert.match(output, /^ebb: .*data is in use by process [0-9]+/);
  });
});

test('an operator makes, lists and revokes keys; a revoked one is good for nothing', async () => {
  await withApi(async () => {});
  const made = await ebb('api-key', 'create', '--scopes', 'builds:read,logs:read', '--name', 'dashboard');
  const key = made.output.trim();
  assert.match(key, /^ebb_/);
  const runner = (await ebb('api-key', 'create', '--runner')).output.trim();
  const listed = await ebb('api-key', 'list');
  const [id = ''] = /^key_\S+(?=.*dashboard$)/m.exec(listed.output) ?? [];
  assert.match(listed.output, new RegExp(`^${id}  default  .*  builds:read,logs:read  dashboard$`, 'm'));
  assert.ok(!listed.output.includes(key));
  await withApi(async (url) => {
    await signIn(url, key);
    await signIn(url, runner);
  });
  assert.equal((await ebb('api-key', 'revoke', id)).code, 0);
  assert.match((await ebb('api-key', 'revoke', id)).output, /no API key key_\S+ that is good/);
  await withApi(async (url) => void (await assert.rejects(signIn(url, key))));
});

test('an operator rotates the key that signs tokens, and replaces it at once', async () => {
  const changes = {
    ...{ EBB_DATA_DIR: join(folder, 'signed'), EBB_FIRST_ADMIN_KEY: firstKey },
    EBB_PUBLIC_URL: 'http://127.0.0.1:4800',
  };
  const tokenKey = async (word: string) => {
    const run = start(['token-key', word], changes);
    assert.equal(await run.ended, 0, run.output());
    return run.output();
  };
  const answerOf = async (url: string, token: string) =>
    (await fetch(`${url}/v1/projects`, { headers: { authorization: `Bearer ${token}` } })).status;
  let before = '';
  await withApi(async (url) => {
    before = await signIn(url, firstKey);
  }, changes);
  const rotated = await tokenKey('rotate');
  const [, kid = ''] = /^ebb: (\S+) is published and signs tokens from \S+Z on/.exec(rotated) ?? [];
  const listed = (await tokenKey('list')).trim().split('\n');
  assert.match(listed[0] ?? '', /^\S+ {2}signs {2}from \S+ {2}until \S+ {2}gone \S+$/);
  assert.match(listed[1] ?? '', new RegExp(`^${kid} {2}is next {2}from \\S+$`));
  await withApi(async (url) => assert.equal(await answerOf(url, before), 200), changes);
  assert.match(await tokenKey('replace'), /^ebb: 2 keys are dropped/);
  await withApi(async (url) => {
    assert.equal(await answerOf(url, before), 401);
    assert.equal(await answerOf(url, await signIn(url, firstKey)), 200);
  }, changes);
});

test('unknown teams and scopes are named', async () => {
  await withApi(async () => {});
  assert.match((await ebb('api-key', 'create', '--team', 'nobody')).output, /no team nobody/);
  assert.match(
    (await ebb('api-key', 'create', '--scopes', 'fly')).output,
    /cannot have the scope fly. Choose of projects:read/,
  );
});

test('keys of operators are for their team alone, and no key is both', async () => {
  await withApi(async () => {});
  const made = await ebb('api-key', 'create', '--operators', '--scopes', 'operator,core_crew');
  assert.match(made.output, /^ebb_/);
  const greedy = await ebb('api-key', 'create', '--scopes', 'logs:read,core_crew');
  assert.match(greedy.output, /The team default cannot have the scope core_crew/);
  const both = await ebb('api-key', 'create', '--operators', '--scopes', 'operator,logs:read');
  assert.match(both.output, /The team ebb-operators cannot have the scope logs:read/);
  const unsaid = await ebb('api-key', 'create', '--team', 'ebb-operators');
  assert.match(unsaid.output, /--scopes is not given/);
});

test('an operator sets what a team gets, and a team pauses and resumes itself', async () => {
  const own = { EBB_DATA_DIR: join(folder, 'shares'), EBB_FIRST_ADMIN_KEY: firstKey };
  await withApi(async () => {}, own);
  const made = start(['api-key', 'create', '--operators', '--scopes', 'operator'], own);
  await made.ended;
  await withApi(async (url) => {
    const as = async (key: string, ...words: string[]) => {
      const run = start(words, { EBB_ENDPOINT: url, EBB_API_KEY: key });
      return [await run.ended, run.output().trim()];
    };
    const operator = (...words: string[]) => as(made.output().trim(), 'operator', ...words);
    const [code, told] = await operator(
      'team',
      'default',
      '--weight',
      '2',
      '--limit',
      '4',
      '--pause',
      'Wait.',
    );
    assert.equal(code, 0);
    assert.match(String(told), /^team_\S+ {2}weight 2 {2}limit 4 {2}paused by the operator: Wait\.$/);
    assert.deepEqual(await operator('teams'), [0, told]);
    assert.deepEqual(await as(firstKey, 'pause', 'The registry moves.'), [
      0,
      'The team is paused by itself: The registry moves.\nThe team is paused by the operator: Wait.',
    ]);
    assert.deepEqual(await as(firstKey, 'resume'), [0, 'The team is paused by the operator: Wait.']);
    const [refused, why] = await as(firstKey, 'resume');
    assert.equal(refused, 1);
    assert.match(String(why), /only they can resume it. Their reason: Wait\./);
    assert.match(
      String((await operator('team', 'default', '--limit', 'none', '--resume'))[1]),
      /limit none$/,
    );
    assert.deepEqual(await operator('fleet', '--drain', '--limit', '9'), [0, 'limit 9  drained']);
    assert.deepEqual(await operator('fleet', '--resume'), [0, 'limit 9  open']);
  }, own);
});

test('a client does not send its key where anybody could read it, and verifying needs none', async () => {
  const run = start(['build', 'default/shop'], {
    EBB_ENDPOINT: 'http://ebb.example.com',
    EBB_API_KEY: firstKey,
  });
  assert.equal(await run.ended, 1);
  assert.match(run.output(), /EBB_ENDPOINT goes to ebb.example.com without TLS. Use https/);
});
