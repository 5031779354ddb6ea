import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import pino from 'pino';
import { runEvery } from '../../api/background.ts';
import { runSweeper } from '../../api/builds/sweep.ts';
import { type Client, created, declareBuildableProject, signIn } from '../../api/test-client.ts';
import { openTestContext, type TestContext } from '../../api/test-context.ts';
import type { Build } from '../../contract/build.ts';
import { createControlPlane } from '../../runner/build/control-plane.ts';
import { createVmCheck } from '../../runner/build/end-vms-without-build.ts';
import { runRunner } from '../../runner/build/runner.ts';
import { createFileKey } from '../../runner/custody/key-file.ts';
import { createKeyring } from '../../runner/custody/keyring.ts';
import type { VmDriver } from '../../runner/vm/driver.ts';
import { type Command, createDriverForTests, type DriverForTests } from '../../runner/vm/driver-for-tests.ts';
import { createVmPool, type VmPool, type VmPoolOptions } from '../../runner/vm/pool.ts';
import { proofWithoutDisk } from '../../runner/vm/ramdisk-proof-for-tests.ts';
import { trackVms } from '../../runner/vm/vms-in-use.ts';

/** API, Redis, sweeper, pool, runner and its check of VMs as they are; only the machines are stand-ins. */
export interface PlatformForTests {
  api: TestContext;
  admin: Client;
  driver: DriverForTests;
  pool: VmPool;
  /** Ids of builds of one project that may all run at once. */
  start(builds: number): Promise<string[]>;
  read(build: string): Promise<Build>;
  /** The build once `when` holds for it. */
  until(build: string, when: (now: Build) => boolean): Promise<Build>;
  /** The build at its end, when its VM is gone. */
  ended(build: string): Promise<Build>;
  close(): Promise<void>;
}

export interface PlatformOptions {
  slots: number;
  /** Stands between pool and machines. */
  launch?: (launch: VmDriver['launch']) => VmDriver['launch'];
  /** What each command of a build does. */
  step?: Command;
  pool?: Partial<VmPoolOptions>;
  /** How often database and queue are made to agree, and VMs whose builds are over looked for. */
  sweepMs?: number;
}

const defaultSweepMs = 2_000;
const patienceMs = 240_000;

export async function openPlatform(options: PlatformOptions): Promise<PlatformForTests> {
  const stop = new AbortController();
  const api = await openTestContext();
  const url = await api.app.listen({ host: '127.0.0.1', port: 0 });
  const driver = createDriverForTests();
  const program = (name: string, run: Command) => driver.commands.set(`/usr/lib/ebb/${name}`, run);
  program('ramdisk-proof', async ({ print }) => {
    print(JSON.stringify(proofWithoutDisk));
    return 0;
  });
  for (const name of ['checkout', 'handover']) program(name, async () => 0);
  program('end-processes', async ({ print }) => {
    print('0');
    return 0;
  });
  program('step', options.step ?? (async () => 0));
  const launch = options.launch?.(driver.launch) ?? driver.launch;
  const { pool, track, inUse } = trackVms(
    createVmPool({
      ...{ driver: { ...driver, launch }, min: 0, max: 0, memoryMib: 1024, cpus: 1, maxAgeMs: 600_000 },
      ...options.pool,
    }),
  );
  const controlPlane = createControlPlane({ url, apiKey: api.keys.runner });
  const log = pino({ level: 'silent' });
  const running = runRunner(
    {
      ...{ name: 'runner-1', queue: api.context.queue, driver, pool, track, slots: options.slots },
      ...{ controlPlane, log },
      keyring: createKeyring(createFileKey(api.keyEncryptionKey.export({ format: 'jwk' }))),
      handOver: new AbortController().signal,
      signal: new AbortController().signal,
    },
    stop.signal,
  );
  const intervalMs = options.sweepMs ?? defaultSweepMs;
  const sweeping = runSweeper(api.context, { intervalMs, signal: stop.signal });
  const check = createVmCheck({ controlPlane, inUse, log });
  const reaping = runEvery({ log }, intervalMs, stop.signal, 'the check of VMs', () => check(stop.signal));
  const admin = await signIn(api, api.keys.admin);
  const project = await declareBuildableProject(api, admin, {
    ...{ test: ['make test'], concurrency: 100, memory_mib: 1024 },
  });
  const read = async (build: string): Promise<Build> => (await admin.call('GET', `/v1/builds/${build}`)).body;
  const until: PlatformForTests['until'] = async (build, when) => {
    const end = AbortSignal.timeout(patienceMs);
    for (;;) {
      const now = await read(build);
      if (when(now)) return now;
      if (end.aborted) assert.fail(`${build} stays ${now.state}: ${now.reason}`);
      await delay(100);
    }
  };
  return {
    ...{ api, admin, driver, pool, read, until },
    async start(builds) {
      const ids: string[] = [];
      for (let index = 0; index < builds; index += 1)
        ids.push((await created(admin, '/v1/builds', { project_id: project.id })).id);
      return ids;
    },
    ended: (build) => until(build, (now) => now.finished_at !== null && now.vm_gone_at !== null),
    async close() {
      stop.abort();
      await Promise.all([running, sweeping, reaping]);
      await pool.close();
      await driver.close();
      await api.close();
    },
  };
}
