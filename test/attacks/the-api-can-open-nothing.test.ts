import assert from 'node:assert/strict';
import { createHmac, createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { compactDecrypt } from 'jose';
import pg from 'pg';
import { commit } from '../../api/test-client.ts';
import { createClient } from '../../cli/client.ts';
import { createRepository } from '../../cli/dev/repository.ts';
import { startRedis } from '../../queue/test-redis.ts';
import { createControlPlane } from '../../runner/build/control-plane.ts';
import { createFileKey } from '../../runner/custody/key-file.ts';
import { createKeyring } from '../../runner/custody/keyring.ts';
import { openVault } from '../../runner/custody/open.ts';
import { reportForTests } from '../../runner/vm/driver-for-tests.ts';
import { proofWithoutDisk } from '../../runner/vm/ramdisk-proof-for-tests.ts';
import { type ApiForTests, startApi } from '../api-for-tests.ts';
import { encodings } from '../encodings.ts';
import { dump, startPostgres } from '../postgres.ts';
import { findInMemory } from '../process-memory.ts';
import { openAsRunner } from './open-as-runner.ts';

const runnerKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const secret = randomBytes(30).toString('base64url');
const closing: (() => Promise<unknown>)[] = [];
let api: ApiForTests;
let folder: string;
let databaseDump: Buffer;
/** What only a runner can open. */
let canaries: Record<'deployKey' | 'projectKey' | 'secret' | 'vmKey', Buffer>;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-stolen-'));
  closing.push(() => rm(folder, { recursive: true, force: true }));
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  closing.push(redis.close, postgres.close);
  const sources = join(folder, 'source');
  await createRepository(join(sources, 'repositories'), 'shop');
  await commit(join(sources, 'repositories', 'shop.git'));
  api = await startApi({
    ...{ folder, databaseUrl: postgres.url, redisUrl: redis.url, keyEncryptionKey: runnerKey },
    environment: { EBB_LOCAL_SOURCE_DIR: sources },
    signal: AbortSignal.timeout(120_000),
  });
  closing.push(api.stop);
  const connection = await api.client.post<{ id: string }>('/v1/connections', {
    name: 'local',
    kind: 'local',
  });
  const project = await api.client.post<{ id: string }>('/v1/projects', {
    ...{ name: 'shop', connection_id: connection.id, repository: 'shop', test: ['make'] },
  });
  await api.client.post('/v1/deploy-keys', { project_id: project.id });
  await api.client.post('/v1/secrets', { project_id: project.id, name: 'TOKEN', value: secret });
  const build = await api.client.post<{ id: string }>('/v1/builds', { project_id: project.id });
  const vmKey = await shareVm(build.id);
  canaries = { ...(await openCanaries(postgres.url)), vmKey };
  databaseDump = await dump(postgres.url);
});
after(async () => {
  while (closing.length > 0) await closing.pop()?.();
});

/** As a runner whose build may be taken over leaves with the API what opens the VM; gives that. */
async function shareVm(build: string): Promise<Buffer> {
  const apiKey = await readFile(join(folder, 'runner.key'), 'utf8');
  const controlPlane = createControlPlane({ url: api.url, apiKey });
  const signal = AbortSignal.timeout(60_000);
  const specification = await controlPlane.claim(build, 'runner-1/a', signal);
  const reports = controlPlane.build(specification);
  const report = reportForTests();
  const ready = { milestone: 'vm_ready', at: report.launched_at, vm: `vm_of_${build}` } as const;
  await reports.milestone({ ...ready, proof: proofWithoutDisk, report }, signal);
  const { wrapped_private_key: wrappedPrivateKey, project_id: projectId } = specification;
  const keyring = createKeyring(createFileKey(runnerKey.export({ format: 'jwk' })));
  const vault = await openVault({ keyring, wrappedPrivateKey, projectId });
  const vmKey = randomBytes(32);
  const vm_handle = await vault.seal(vmKey, 'vm-handle');
  await reports.milestone({ milestone: 'checkout_done', at: report.launched_at, vm_handle }, signal);
  return vmKey;
}

async function openCanaries(databaseUrl: string) {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  const { rows } = await client.query(
    `select wrapped_private_key, sealed_private_key, sealed_value
     from project join deploy_key on deploy_key.project_id = project.id join secret on secret.project_id = project.id`,
  );
  await client.end();
  const runner = await openAsRunner(runnerKey, rows[0].wrapped_private_key);
  return {
    projectKey: runner.scalar,
    deployKey: await runner.open(rows[0].sealed_private_key),
    secret: await runner.open(rows[0].sealed_value),
  };
}

/** Names of the canaries that a search of the API's memory finds, in any encoding. */
async function inMemory(of: Record<string, Buffer>): Promise<string[]> {
  const needles = Object.entries(of).flatMap(([name, value]) =>
    [...encodings(value), Buffer.from(value.toString('latin1'), 'utf16le')].map((needle) => ({
      name,
      needle,
    })),
  );
  const found = await findInMemory(
    api.pid(),
    needles.map(({ needle }) => needle),
  );
  return [...new Set([...found].map((index) => needles[index]?.name ?? ''))].sort();
}

test('a dump of the database holds no deploy key, project key, secret or key of a VM, in any encoding', () => {
  for (const [name, value] of Object.entries(canaries)) {
    for (const needle of encodings(value)) assert.ok(!databaseDump.includes(needle), name);
  }
  assert.ok(canaries.secret.equals(Buffer.from(secret)), 'the runner opens what was sealed');
});

test("what the dump holds sealed opens with no key that the API has, and with the runner's", async () => {
  const sealed = databaseDump.toString().match(/eyJ[\w-]+\.[\w-]*\.[\w-]+\.[\w-]+\.[\w-]+/g) ?? [];
  assert.equal(sealed.length, 4);
  const keys = await everyKeyOfTheApi();
  assert.ok(keys.length >= 8);
  for (const text of sealed) {
    for (const key of keys) await assert.rejects(async () => await compactDecrypt(text, key));
  }
  await assert.doesNotReject(openAsRunner(runnerKey, sealed.find(isWrapped) ?? ''));
});

test('deploy key and project key are gone from the memory of the API soon after they were made', async () => {
  const { deployKey, projectKey } = canaries;
  for (let tries = 0; (await inMemory({ deployKey, projectKey })).length > 0; tries++) {
    assert.ok(tries < 30, 'a key is still there');
    await delay(500);
  }
});

test('the memory of an API process that was restarted holds none of them, and it holds its own keys', async () => {
  await api.killAndRestart();
  // One that needs a new token, so that the key that signs them is at work.
  const client = createClient({ endpoint: api.url, apiKey: api.adminKey });
  for (const path of ['/v1/projects', '/v1/secrets']) await client.get(path);
  const own = JSON.parse(await readFile(join(folder, 'keys', 'token-key.json'), 'utf8'));
  assert.deepEqual(await inMemory({ ...canaries, own: Buffer.from(own.d, 'base64url') }), ['own']);
});

function isWrapped(text: string): boolean {
  return Buffer.from(text.split('.')[0] ?? '', 'base64url')
    .toString()
    .includes('project-key');
}

/** The files of its folder as private keys, as bytes and as what is derived from them; and the other half of the runner's. */
async function everyKeyOfTheApi() {
  const files = await Promise.all(
    (await readdir(join(folder, 'keys'))).map((name) => readFile(join(folder, 'keys', name), 'utf8')),
  );
  return files.flatMap((text) => {
    if (text.startsWith('{')) {
      const jwk = JSON.parse(text);
      const scalar = Buffer.from(jwk.d, 'base64url');
      return [createPrivateKey({ key: jwk, format: 'jwk' }), scalar, ...derived(scalar)];
    }
    const bytes = Buffer.from(text.trim(), 'base64');
    return [bytes, ...derived(bytes)];
  });
}

function derived(key: Buffer): Buffer[] {
  const extracted = createHmac('sha256', Buffer.alloc(32)).update(key).digest();
  return ['', 'project-key', 'deploy-key', 'vm-handle', 'secret:TOKEN'].map((purpose) =>
    createHmac('sha256', extracted).update(purpose).update(Buffer.of(1)).digest(),
  );
}
