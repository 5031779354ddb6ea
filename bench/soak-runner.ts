import { setTimeout as delay } from 'node:timers/promises';
import pino from 'pino';
import { createRedisQueue } from '../queue/redis-queue.ts';
import { createControlPlane } from '../runner/build/control-plane.ts';
import { runRunner } from '../runner/build/runner.ts';
import { openKeyring } from '../runner/custody/open-keyring.ts';
import { type Command, createDriverForTests } from '../runner/vm/driver-for-tests.ts';
import { createVmPool } from '../runner/vm/pool.ts';
import { proofWithoutDisk } from '../runner/vm/ramdisk-proof-for-tests.ts';

// A runner whose VMs are SSH servers in its own process, put together as `ebb runner` does. Ends by SIGTERM.
const { EBB_API_URL = '', EBB_REDIS_URL = '', EBB_RUNNER_KEY = '', EBB_SLOTS = '' } = process.env;
const { EBB_KEY_ENCRYPTION_KEY_FILE = '' } = process.env;
const stepMs = 200;

const programs: Record<string, Command> = {
  'ramdisk-proof': printing(JSON.stringify(proofWithoutDisk)),
  async checkout({ stdin }) {
    await stdin;
    return 0;
  },
  handover: async () => 0,
  'end-processes': printing('0'),
  async step({ stdin, print }) {
    await stdin;
    for (let line = 1; line <= 20; line += 1) {
      print(`line ${line} of what a test prints\n`);
      await delay(stepMs / 20);
    }
    return 0;
  },
};

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
const driver = createDriverForTests();
for (const [name, program] of Object.entries(programs)) driver.commands.set(`/usr/lib/ebb/${name}`, program);
// What it remembers for tests is no leak of the runner.
const forgetting = setInterval(() => {
  driver.launched.length = 0;
  driver.recipes.length = 0;
  driver.heartbeats.clear();
}, 1_000);
const queue = await createRedisQueue({ url: EBB_REDIS_URL });
const pool = createVmPool({ driver, min: 2, max: 2, memoryMib: 1024, cpus: 1, maxAgeMs: 30 * 60_000 });
const keyring = await openKeyring({ EBB_KEY_ENCRYPTION_KEY_FILE, EBB_DEPLOYMENT: '', EBB_OLDER_KEYS: '' });
process.send?.('ready');
await runRunner(
  {
    ...{ name: 'soak', queue, driver, pool, keyring, allowHostSwap: true, slots: Number(EBB_SLOTS) },
    controlPlane: createControlPlane({ url: EBB_API_URL, apiKey: EBB_RUNNER_KEY }),
    log: pino({ level: 'warn' }),
    handOver: new AbortController().signal,
    signal: new AbortController().signal,
  },
  stop.signal,
);
await pool.close();
await driver.close();
await queue.close();
clearInterval(forgetting);
process.disconnect?.();

function printing(text: string): Command {
  return async ({ print }) => {
    print(text);
    return 0;
  };
}
