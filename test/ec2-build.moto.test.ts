import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import pino from 'pino';
import { declareBuildableProject, signIn } from '../api/test-client.ts';
import { openTestContext, type TestContext } from '../api/test-context.ts';
import { verifyFile } from '../cli/verify/verify-file.ts';
import { LetGo } from '../runner/build/build-end.ts';
import { createControlPlane } from '../runner/build/control-plane.ts';
import { runRunner } from '../runner/build/runner.ts';
import { createFileKey } from '../runner/custody/key-file.ts';
import { createKeyring } from '../runner/custody/keyring.ts';
import { buildImage } from '../runner/image/build-image.ts';
import { buildDiskImage } from '../runner/image/disk/disk-image.ts';
import { base } from '../runner/image/recipes.ts';
import type { VmDriver } from '../runner/vm/driver.ts';
import { type Ec2Lab, openEc2Lab } from '../runner/vm/ec2/ec2-lab-for-tests.ts';
import { createVmPool } from '../runner/vm/pool.ts';

const cacheDir = join(import.meta.dirname, '../.ebb/cache/images');
const signal = AbortSignal.timeout(8 * 60_000);
let lab: Ec2Lab;
let api: TestContext;
let url: string;
let first: Runner;
const runners: Runner[] = [];

before(async () => {
  const image = await buildImage({ recipe: base, cacheDir, signal });
  lab = await openEc2Lab(await buildDiskImage({ image, cacheDir, signal }));
  api = await openTestContext();
  url = await api.app.listen({ host: '127.0.0.1', port: 0 });
  first = startRunner('runner-1', lab.driver);
});
after(async () => {
  for (const runner of runners) await runner.end();
  await api?.close();
  await lab?.close();
});

interface Runner {
  /** Leaves what it builds to other runners. */
  handOver(): void;
  /** Resolves when it takes no build any more, has none and has ended its VMs. */
  end(): Promise<void>;
}

function startRunner(name: string, driver: VmDriver): Runner {
  const stop = new AbortController();
  const handOver = new AbortController();
  const pool = createVmPool({ driver, min: 0, max: 0, memoryMib: 1024, cpus: 1, maxAgeMs: 60_000 });
  const running = runRunner(
    {
      ...{ name, driver, pool, signal },
      queue: api.context.queue,
      controlPlane: createControlPlane({ url, apiKey: api.keys.runner }),
      keyring: createKeyring(createFileKey(api.keyEncryptionKey.export({ format: 'jwk' }))),
      slots: 1,
      log: pino({ level: 'silent' }),
      handOver: handOver.signal,
    },
    stop.signal,
  );
  const runner: Runner = {
    handOver: () => handOver.abort(new LetGo('The runner stops and hands its builds over.')),
    async end() {
      stop.abort();
      await running;
      await pool.close();
      await driver.close();
    },
  };
  runners.push(runner);
  return runner;
}

test('a build runs on an instance from proof to deployment, and the instance is gone after it', async () => {
  const admin = await signIn(api, api.keys.admin);
  const project = await declareBuildableProject(api, admin, {
    setup: ['git log -1 --format=%H'],
    test: ['test -z "$(ls -A /sys/block)" && echo no disk', '! curl -s -m 2 http://169.254.169.254/'],
    deploy: [{ branch: 'main', commands: ['echo deployed'] }],
  });
  const { body: started } = await admin.call('POST', '/v1/builds', { project_id: project.id });
  const read = async () => (await admin.call('GET', `/v1/builds/${started.id}`)).body;
  let build = await read();
  while (build.vm_gone_at === null) {
    signal.throwIfAborted();
    await delay(200);
    build = await read();
  }
  const { text: log } = await admin.call('GET', `/v1/builds/${started.id}/log`);
  assert.equal(build.state, 'passed', log);
  assert.match(log, new RegExp(`${project.head}[\\s\\S]*no disk[\\s\\S]*deployed\nebb: passed\n$`));
  assert.deepEqual(await lab.remains(build.vm), []);
  const { text: receipts } = await admin.call('GET', `/v1/builds/${started.id}/receipts`);
  const { body: jwks } = await admin.call('GET', '/.well-known/jwks.json');
  const { ok, findings } = verifyFile(receipts, { jwks, log: Buffer.from(log) });
  assert.ok(ok, JSON.stringify(findings));
  assert.match(JSON.stringify(findings), /EC2 said of i-[0-9a-f]+: no block device but the root device/);
});

test('a deployment goes on with another runner when the first one hands it over, and is not begun again', async () => {
  const admin = await signIn(api, api.keys.admin);
  const project = await declareBuildableProject(api, admin, {
    deploy: [{ branch: 'main', commands: ['for i in {1..30}; do echo "part $i"; sleep 1; done'] }],
  });
  const { body: started } = await admin.call('POST', '/v1/builds', { project_id: project.id });
  const logOf = async () => (await admin.call('GET', `/v1/builds/${started.id}/log`)).text;
  const until = async (seen: () => Promise<boolean>) => {
    while (!(await seen())) {
      signal.throwIfAborted();
      await delay(200);
    }
  };
  await until(async () => (await logOf()).includes('part 2\n'));
  startRunner('runner-2', await lab.openDriver('runner-2'));
  const ended = first.end();
  first.handOver();
  await ended;
  const read = async () => (await admin.call('GET', `/v1/builds/${started.id}`)).body;
  await until(async () => (await read()).vm_gone_at !== null);
  const build = await read();
  const log = await logOf();
  assert.deepEqual([build.state, build.attempt], ['passed', 1], log);
  const parts = Array.from({ length: 30 }, (_, part) => `part ${part + 1}`);
  assert.deepEqual(log.match(/^part \d+$/gm), parts);
  assert.equal(await lab.ownerOf(build.vm), 'runner-2');
  assert.deepEqual(await lab.remains(build.vm), []);
});
