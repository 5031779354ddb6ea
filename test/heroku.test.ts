import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { createClient } from '../cli/client.ts';
import { createRepository } from '../cli/dev/repository.ts';
import { freePort } from '../queue/free-port.ts';
import { createCertificate } from './certificates.ts';
import { startRouter } from './heroku-router.ts';
import { createSlug, type Dyno, startDyno } from './heroku-slug.ts';
import { startPostgres } from './postgres.ts';
import { startRedisOverTls } from './redis-over-tls.ts';

const publicUrl = 'https://ebb-test.herokuapp.com';
let folder: string;
let slug: string;
let commands: Record<string, string>;
let variables: Record<string, string>;
let otherAuthority: string;
const closing: (() => Promise<unknown>)[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-heroku-'));
  closing.push(() => rm(folder, { recursive: true, force: true }));
  slug = join(folder, 'slug');
  const [server, other] = [join(folder, 'server'), join(folder, 'other')];
  for (const path of [slug, server, other]) await mkdir(path);
  commands = await createSlug(slug);
  const certificate = await createCertificate(server, 'localhost');
  otherAuthority = (await createCertificate(other, 'localhost')).authority;
  const postgres = await startPostgres(certificate);
  closing.push(postgres.close);
  const redis = await startRedisOverTls(certificate);
  closing.push(redis.close);
  const keyEncryption = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
  variables = {
    DATABASE_URL: postgres.url.replace('postgresql:', 'postgres:'),
    REDIS_URL: redis.url,
    EBB_DATABASE_CA: certificate.authority,
    EBB_REDIS_CA: certificate.authority,
    EBB_PUBLIC_URL: publicUrl,
    EBB_KEY_ENCRYPTION_KEY: JSON.stringify(keyEncryption.export({ format: 'jwk' })),
    EBB_LOCAL_SOURCE_DIR: join(folder, 'source'),
    ...(await makeKeys()),
  };
  await createRepository(join(folder, 'source', 'repositories'), 'shop');
  assert.equal((await run(commands.release)).code, 0);
});
after(async () => {
  while (closing.length > 0) await closing.pop()?.();
});

async function makeKeys(): Promise<Record<string, string>> {
  const dyno = startDyno(slug, `cli/ebb keys ${join(folder, 'keys')} --json`, {});
  assert.equal(await dyno.ended, 0, dyno.output());
  return JSON.parse(dyno.output());
}

/** A process that ends by itself. */
async function run(command: string | undefined, changes: Record<string, string> = {}) {
  const dyno = startDyno(slug, command ?? '', { ...variables, ...changes });
  return { code: await dyno.ended, output: dyno.output() };
}

async function startWeb(changes: Record<string, string> = {}): Promise<{ dyno: Dyno; port: number }> {
  const port = await freePort();
  const dyno = startDyno(slug, commands.web ?? '', { ...variables, ...changes, PORT: String(port) });
  closing.push(async () => {
    dyno.kill('SIGKILL');
    await dyno.ended;
  });
  await dyno.wrote('Server listening');
  return { dyno, port };
}

/** A database that nothing was released to yet. */
async function createEmptyDatabase(): Promise<string> {
  const client = new pg.Client({
    connectionString: variables.DATABASE_URL,
    ssl: { ca: variables.EBB_DATABASE_CA },
  });
  await client.connect();
  await client.query('create database empty');
  await client.end();
  return (variables.DATABASE_URL ?? '').replace(/postgres$/, 'empty');
}

test('an app is released, signed in to and used, and ends when Heroku asks it to', async () => {
  const DATABASE_URL = await createEmptyDatabase();
  const early = await run(commands.web, { DATABASE_URL, PORT: '0' });
  assert.equal(early.code, 1);
  assert.match(early.output, /^ebb: The database's schema is older.*missing: 0001-first.*ebb migrate/);

  const releases = await Promise.all([1, 2].map(() => run(commands.release, { DATABASE_URL })));
  assert.deepEqual(
    releases.map(({ code }) => code),
    [0, 0],
  );
  const applied = releases.filter(({ output }) => output.includes('ebb: applied 0001-first'));
  assert.equal(applied.length, 1, 'of two releases at once only one applies a migration');
  assert.match((await run(commands.release, { DATABASE_URL })).output, /the schema is up to date/);

  const { output } = await run('cli/ebb first-team', { DATABASE_URL });
  const apiKey = /admin API key: +(ebb_\S+)/.exec(output)?.[1] ?? '';
  assert.notEqual(apiKey, '');
  assert.match((await run('cli/ebb first-team', { DATABASE_URL })).output, /there is a team already/);

  const { dyno, port } = await startWeb({ DATABASE_URL });
  const router = await startRouter(port);
  closing.push(router.close);
  const client = createClient({ endpoint: router.url, apiKey });
  const connection = await client.post<{ id: string }>('/v1/connections', { name: 'local', kind: 'local' });
  const project = await client.post<{ id: string }>('/v1/projects', {
    name: 'shop',
    connection_id: connection.id,
    repository: 'shop',
    test: ['true'],
  });
  assert.deepEqual(await client.get(`/v1/projects/${project.id}`), project);
  assert.equal(await client.status('/v1/ready'), 200);

  dyno.kill('SIGTERM');
  const code = await Promise.race([
    dyno.ended,
    new Promise((resolve) => setTimeout(resolve, 30_000, 'Heroku kills it after 30 s').unref()),
  ]);
  assert.equal(code, 0);
  for (const secret of [apiKey, variables.EBB_HOOK_MASTER_KEY ?? '', variables.REDIS_URL ?? ''])
    assert.ok(!dyno.output().includes(secret), 'the log holds a secret');
});

test('what the router took over plain HTTP is refused, and its probes are answered', async () => {
  const { dyno, port } = await startWeb();
  const ask = async (path: string, forwarded?: string) =>
    await fetch(`http://127.0.0.1:${port}${path}`, {
      headers: forwarded ? { 'x-forwarded-proto': forwarded } : {},
    });
  for (const forwarded of [undefined, 'http', 'https, http']) {
    const answer = await ask('/v1/projects', forwarded);
    assert.equal(answer.status, 403, forwarded);
    const problem = (await answer.json()) as { code: string; detail: string };
    assert.equal(problem.code, 'https_required');
    assert.ok(problem.detail.includes(`Use ${publicUrl}`));
  }
  assert.equal((await ask('/v1/projects', 'https')).status, 401);
  assert.match((await ask('/v1/health', 'https')).headers.get('strict-transport-security') ?? '', /max-age=/);
  assert.equal((await ask('/v1/health')).status, 200);
  assert.match(dyno.output(), /there is no team yet, so nobody can sign in: run `ebb first-team`/);
});

test('of X-Forwarded-For only what the router added is believed', async () => {
  const { dyno, port } = await startWeb();
  await fetch(`http://127.0.0.1:${port}/v1/health`, {
    headers: { 'x-forwarded-proto': 'https', 'x-forwarded-for': '198.51.100.1, 203.0.113.9' },
  });
  await dyno.wrote('"remoteAddress":"203.0.113.9"');
  assert.ok(!dyno.output().includes('198.51.100.1'));
});

test('servers whose certificates cannot be verified are refused, by name and with what to set', async () => {
  const refused =
    /^ebb: (PostgreSQL|Redis) at localhost:[0-9]+ does not answer: .*certificate.*Check EBB_(DATABASE|REDIS)_URL and EBB_(DATABASE|REDIS)_CA\.$/m;
  const unverified = `${variables.DATABASE_URL}?sslmode=verify-full`;
  for (const [command, changes] of [
    ['cli/ebb migrate', { EBB_DATABASE_CA: otherAuthority }],
    ['cli/ebb migrate', { EBB_DATABASE_CA: '', DATABASE_URL: unverified }],
    [commands.web, { EBB_REDIS_CA: otherAuthority }],
    [commands.web, { EBB_REDIS_CA: '' }],
  ] as const) {
    const { code, output } = await run(command, { ...changes, PORT: '0' });
    assert.equal(code, 1);
    assert.match(output, refused);
  }
});

test('a release with missing or dangerous settings fails before anything changes, and names them all', async () => {
  const { code, output } = await run(commands.release, {
    DATABASE_URL: 'postgres://u:hush@db.example.com/d?sslmode=require',
    REDIS_URL: 'redis://:hush@redis.example.com',
    EBB_PUBLIC_URL: 'http://ebb.example.com',
    EBB_REDIS_CA: 'hush',
    EBB_TOKEN_KEY: '',
    EBB_RECEIPT_KEY: 'hush',
    EBB_KEY_ENCRYPTION_KEY: '',
  });
  assert.equal(code, 1);
  for (const line of [
    /DATABASE_URL \(EBB_DATABASE_URL\) asks for sslmode=require/,
    /REDIS_URL \(EBB_REDIS_URL\) goes to redis.example.com without TLS/,
    /EBB_PUBLIC_URL is http/,
    /EBB_REDIS_CA holds no certificate/,
    /EBB_TOKEN_KEY is not set/,
    /EBB_RECEIPT_KEY holds no key/,
    /EBB_KEY_ENCRYPTION_KEY is not set/,
  ])
    assert.match(output, line);
  assert.match(output, /has 7 problems/);
  assert.doesNotMatch(output, /hush|ebb: applied|up to date/);
});

test('app.json asks for what the app needs and for nothing that it does not know', async () => {
  const manifest = JSON.parse(await readFile(join(slug, 'app.json'), 'utf8')) as {
    env: Record<string, { required: boolean; value?: string }>;
  };
  const required = Object.keys(manifest.env).filter((name) => manifest.env[name]?.required);
  const { DATABASE_URL = '', REDIS_URL = '' } = variables;
  const nothing = Object.fromEntries(Object.keys(variables).map((name) => [name, '']));
  const given = Object.fromEntries(required.map((name) => [name, variables[name] ?? '']));
  const check = (commands.release ?? '').split('&&')[0];
  const complete = await run(check, { ...nothing, DATABASE_URL, REDIS_URL, ...given });
  assert.equal(complete.code, 0, complete.output);
  for (const name of required) {
    const { output } = await run(check, { ...nothing, DATABASE_URL, REDIS_URL, ...given, [name]: '' });
    assert.match(output, new RegExp(`has a problem:\n  - ${name} is not set`));
  }
});
