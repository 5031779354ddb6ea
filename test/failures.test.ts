import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient } from '../cli/client.ts';
import { type EbbProcess, startEbbProcess } from '../cli/dev/child-process.ts';
import { type DevSystem, startDevSystem } from '../cli/dev/dev-system.ts';
import { pinHostKey } from '../cli/dev/developer-key.ts';
import { createRepository } from '../cli/dev/repository.ts';
import { createSampleRepository } from '../cli/dev/sample-repository.ts';
import { followBuild } from '../cli/follow-build.ts';
import { defaultRuntimeDir } from '../cli/memory-folder.ts';
import type { Build } from '../contract/build.ts';
import { leaseMs } from '../contract/runner.ts';
import { type ConfiguredRedis, startConfiguredRedis } from '../queue/redis-for-tests.ts';

const patience = () => AbortSignal.timeout(3 * 60_000);
const step = 'echo "a step begins"; sleep 8; echo "the step ends"';
let folder: string;
let redis: ConfiguredRedis;
let system: DevSystem;
let client: Client;
let connectionId: string;
let projectId: string;
/** The runner that works now, and all that were started here. */
let runner: number;
const started: EbbProcess<unknown>[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-failures-'));
  redis = await startConfiguredRedis();
  system = await startDevSystem({
    folder: join(folder, 'system'),
    cacheDir: resolve('.ebb/cache'),
    redisUrl: redis.url,
    port: 0,
    signal: patience(),
  });
  runner = system.processes.runner ?? assert.fail();
  client = createClient({ endpoint: system.url, apiKey: system.adminKey });
  await createRepository(system.source.repositories, 'shop');
  await pinHostKey(system.developer, '127.0.0.1', system.source.port, system.source.hostKey);
  const repository = await createSampleRepository({
    folder: join(folder, 'shop'),
    url: `ssh://git@127.0.0.1:${system.source.port}/shop.git`,
    sshCommand: system.developer.sshCommand,
  });
  await repository.push('Open the shop');
  const connection = await client.post<{ id: string }>('/v1/connections', { name: 'local', kind: 'local' });
  connectionId = connection.id;
  projectId = (await declareProject('shop', { test: [step] })).id;
});
after(async () => {
  for (const each of started) await each.stop();
  await system.close();
  await redis.close();
  await rm(folder, { recursive: true, force: true });
});

/** A project of the sample repository, with its deploy key. */
async function declareProject(name: string, more: object): Promise<{ id: string }> {
  const declared = { name, connection_id: connectionId, repository: 'shop', ...more };
  const project = await client.post<{ id: string }>('/v1/projects', declared);
  await client.post('/v1/deploy-keys', { project_id: project.id });
  return project;
}

/** Starts a build, does something once its log has `when` for the first time, and gives the build at its end. */
async function buildAnd(
  interfere: (build: Build) => Promise<void>,
  wanted: { commit?: string; project_id?: string } = {},
  when = 'a step begins\n',
): Promise<{ build: Build; log: string }> {
  const { id } = await client.post<Build>('/v1/builds', { project_id: projectId, ...wanted });
  let log = '';
  let interfered: Promise<void> | undefined;
  const build = await followBuild(
    client,
    id,
    {
      log(text) {
        log += text;
        if (log.includes(when)) interfered ??= client.get<Build>(`/v1/builds/${id}`).then(interfere);
      },
    },
    patience(),
  );
  await interfered;
  return { build, log };
}

async function killVm(build: Build): Promise<void> {
  const owner = JSON.parse(
    await readFile(join(await defaultRuntimeDir(), `${build.vm}`, 'owner.json'), 'utf8'),
  );
  process.kill(owner.qemu.pid, 'SIGKILL');
}

test('a build whose VM dies passes on a new VM, and its log tells both attempts', async () => {
  let first: string | null = null;
  const { build, log } = await buildAnd(async (running) => {
    first = running.vm;
    await killVm(running);
  });
  assert.equal(build.state, 'passed');
  assert.equal(build.attempt, 2);
  assert.notEqual(build.vm, first);
  assert.match(log, /ebb: lost: The VM was lost[\s\S]*attempt 2[\s\S]*the step ends\n[\s\S]*ebb: passed/);
});

test('a build that is cancelled by request loses its VM at once', async () => {
  const { build, log } = await buildAnd(async ({ id }) => {
    await client.post(`/v1/builds/${id}/cancel`, {});
  });
  assert.equal(build.state, 'cancelled');
  assert.equal(build.reason, 'Cancelled by request.');
  assert.ok(!log.includes('the step ends\n'));
});

test('a build that takes longer than its project allows is stopped and says where to allow more', async () => {
  const { id } = await declareProject('slow', { timeout_minutes: 1, test: ['sleep 600'] });
  const { build } = await buildAnd(async () => {}, { project_id: id });
  assert.equal(build.state, 'timed_out');
  assert.match(build.reason ?? '', /1 minute.*timeout_minutes/);
});

test('a commit that the source host does not have ends the build with what to do', async () => {
  const { build } = await buildAnd(async () => {}, { commit: 'a'.repeat(40) });
  assert.equal(build.state, 'errored');
  assert.match(build.reason ?? '', /aaaaaaa.*(push|Push)/);
});

const countTo = (last: number) =>
  `for i in {1..${last}}; do echo "line $i"; sleep 1; done; echo "the step ends"`;
const counting = countTo(12);

/** The log holds each line of the counting step, in order and once. */
function assertCountedOnce(log: string, last = 12): void {
  const lines = log.split('\n').filter((line) => /^(line \d+|the step ends)$/.test(line));
  assert.deepEqual(lines, [
    ...Array.from({ length: last }, (_, index) => `line ${index + 1}`),
    'the step ends',
  ]);
}

test('a build whose runner is killed goes on in its VM, and another runner tells the rest', async () => {
  const { id } = await declareProject('outlives', {
    setup: ['echo prepared'],
    test: [counting, 'echo "and on"'],
  });
  const { build, log } = await buildAnd(
    async () => {
      process.kill(runner, 'SIGKILL');
      await startRunner();
    },
    { project_id: id },
    'line 3\n',
  );
  assert.deepEqual([build.state, build.attempt], ['passed', 1]);
  assertCountedOnce(log);
  assert.match(log, /^prepared\n[\s\S]*the step ends\n[\s\S]*^and on\n[\s\S]*ebb: passed\n$/m);
  assert.equal(log.match(/^\$ /gm)?.length, 3, 'each command is named once');
});

test('a deployment whose runner is killed is run once, to its end', async () => {
  const deploy = [{ branch: 'main', commands: [counting] }];
  const { id } = await declareProject('deploys', { deploy });
  const { build, log } = await buildAnd(
    async () => {
      process.kill(runner, 'SIGKILL');
      await startRunner();
    },
    { project_id: id },
    'line 3\n',
  );
  assert.deepEqual([build.state, build.attempt, build.phase], ['passed', 1, 'deploy']);
  assertCountedOnce(log);
});

test('a runner that is asked to stop twice hands its build over', async () => {
  const { id } = await declareProject('handed', { test: [counting] });
  const { build, log } = await buildAnd(
    async () => {
      const stopping = runner;
      process.kill(stopping, 'SIGTERM');
      process.kill(stopping, 'SIGTERM');
      await startRunner();
    },
    { project_id: id },
    'line 3\n',
  );
  assert.deepEqual([build.state, build.attempt], ['passed', 1]);
  assertCountedOnce(log);
});

test('a deployment that loses its runner and its VM ends with the reason, and is not run again', async () => {
  const deploy = [{ branch: 'main', commands: [counting] }];
  const { id } = await declareProject('loses', { deploy });
  const { build, log } = await buildAnd(
    async (running) => {
      process.kill(runner, 'SIGKILL');
      await killVm(running);
      await startRunner();
    },
    { project_id: id },
    'line 3\n',
  );
  assert.equal(build.state, 'errored');
  assert.match(
    build.reason ?? '',
    /VM .*not there any more.*during the deployment, which Ebb never runs twice/,
  );
  assert.equal(log.match(/^line 1$/gm)?.length, 1);
});

test('a deployment goes on while Redis is away for longer than a lease, and is run once', async () => {
  const deploy = [{ branch: 'main', commands: [countTo(24)] }];
  const { id } = await declareProject('waits-for-redis', { deploy });
  const { build, log } = await buildAnd(
    async () => await redis.killAndRestart(false, () => sleep(leaseMs + 5_000)),
    { project_id: id },
    'line 1\n',
  );
  assert.deepEqual([build.state, build.attempt, build.reason], ['passed', 1, null]);
  assertCountedOnce(log, 24);
});

test('a deploy key that was removed at the source host by hand ends the build with what to do', async () => {
  const path = join(system.source.repositories, 'shop.git', 'ebb', 'state.json');
  const state = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, JSON.stringify({ ...state, deployKeys: [] }));
  const { build } = await buildAnd(async () => {});
  assert.equal(build.state, 'errored');
  assert.match(build.reason ?? '', /refused the deploy key.*terraform apply/);
});

async function startRunner(): Promise<void> {
  const keys = join(folder, 'system', 'keys');
  const next = await startEbbProcess({
    command: 'runner',
    environment: {
      EBB_API_URL: system.url,
      EBB_RUNNER_KEY_FILE: join(keys, 'runner.key'),
      EBB_REDIS_URL_FILE: join(keys, 'redis-url'),
      EBB_KEY_ENCRYPTION_KEY_FILE: join(keys, 'runner', 'key-encryption-key.json'),
      EBB_CACHE_DIR: resolve('.ebb/cache'),
    },
    logFile: join(folder, `runner-${started.length + 2}.log`),
    signal: patience(),
  });
  started.push(next);
  runner = next.pid;
}
