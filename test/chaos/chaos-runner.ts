import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { createRedisQueue } from '../../queue/redis-queue.ts';
import { createControlPlane } from '../../runner/build/control-plane.ts';
import { runRunner } from '../../runner/build/runner.ts';
import { openKeyring } from '../../runner/custody/open-keyring.ts';
import { createVmPool } from '../../runner/vm/pool.ts';
import { createStandInDriver } from './stand-in-driver.ts';

/* A runner that differs from `ebb runner` in its driver alone; see `cli/runner-process.ts`. */

const { name, apiUrl, apiKey, redisUrl, keyFile, vmHostUrl } = JSON.parse(process.argv[2] ?? '{}');
const reapIntervalMs = 5_000;

const log = pino({ name });
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());

const keyring = await openKeyring({ EBB_KEY_ENCRYPTION_KEY_FILE: keyFile, EBB_DEPLOYMENT: 'ebb' });
const queue = await createRedisQueue({ url: redisUrl });
const driver = await createStandInDriver(vmHostUrl);
const pool = createVmPool({
  driver,
  min: 2,
  max: 2,
  memoryMib: 1024,
  cpus: 1,
  maxAgeMs: 60_000,
  onEvent: ({ type, ...about }) => log.info(about, `pool: ${type}`),
});
const reaping = (async () => {
  while (!stop.signal.aborted) {
    const reaped = await driver.reap();
    if (reaped.length > 0) log.warn({ vms: reaped }, 'ended VMs that a dead runner left');
    await sleep(reapIntervalMs, undefined, { signal: stop.signal }).catch(() => undefined);
  }
})();
process.send?.({ ready: true });
await runRunner(
  {
    ...{ name, queue, driver, pool, keyring, log },
    controlPlane: createControlPlane({ url: apiUrl, apiKey }),
    slots: 4,
    // This machine's swap is none of this test's business: the VMs are none.
    allowHostSwap: true,
    handOver: new AbortController().signal,
    signal: new AbortController().signal,
  },
  stop.signal,
);
await pool.close();
await driver.close();
await reaping;
await queue.close();
process.disconnect?.();
