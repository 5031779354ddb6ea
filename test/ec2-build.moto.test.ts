import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import pino from 'pino';
import { declareBuildableProject, signIn } from '../api/test-client.ts';
import { openTestContext, type TestContext } from '../api/test-context.ts';
import { verifyFile } from '../cli/verify/verify-file.ts';
import { createControlPlane } from '../runner/build/control-plane.ts';
import { runRunner } from '../runner/build/runner.ts';
import { createFileKey } from '../runner/custody/key-file.ts';
import { createKeyring } from '../runner/custody/keyring.ts';
import { buildImage } from '../runner/image/build-image.ts';
import { buildDiskImage } from '../runner/image/disk/disk-image.ts';
import { base } from '../runner/image/recipes.ts';
import { type Ec2Lab, openEc2Lab } from '../runner/vm/ec2/ec2-lab-for-tests.ts';
import { createVmPool, type VmPool } from '../runner/vm/pool.ts';

const cacheDir = join(import.meta.dirname, '../.ebb/cache/images');
const signal = AbortSignal.timeout(5 * 60_000);
const stop = new AbortController();
let lab: Ec2Lab;
let api: TestContext;
let pool: VmPool;
let running: Promise<void>;

before(async () => {
  const image = await buildImage({ recipe: base, cacheDir, signal });
  lab = await openEc2Lab(await buildDiskImage({ image, cacheDir, signal }));
  api = await openTestContext();
  const url = await api.app.listen({ host: '127.0.0.1', port: 0 });
  pool = createVmPool({ driver: lab.driver, min: 0, max: 0, memoryMib: 1024, cpus: 1, maxAgeMs: 60_000 });
  running = runRunner(
    {
      name: 'runner-1',
      queue: api.context.queue,
      controlPlane: createControlPlane({ url, apiKey: api.keys.runner }),
      pool,
      driver: lab.driver,
      keyring: createKeyring(createFileKey(api.keyEncryptionKey.export({ format: 'jwk' }))),
      slots: 1,
      log: pino({ level: 'silent' }),
      handOver: new AbortController().signal,
      signal,
    },
    stop.signal,
  );
});
after(async () => {
  stop.abort();
  await running;
  await pool?.close();
  await api?.close();
  await lab?.close();
});

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
