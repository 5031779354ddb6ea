import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Logger, pino } from 'pino';
import { logHooks } from '../contract/log-hooks.ts';
import type { BuildQueue } from '../queue/build-queue.ts';
import { createRedisQueue } from '../queue/redis-queue.ts';
import { createControlPlane } from '../runner/build/control-plane.ts';
import { keepCheckingVms } from '../runner/build/end-vms-without-build.ts';
import { runRunner } from '../runner/build/runner.ts';
import type { RunnerConfiguration } from '../runner/configuration.ts';
import { keepKeys } from '../runner/custody/keep-keys.ts';
import { openKeyring } from '../runner/custody/open-keyring.ts';
import { buildImage } from '../runner/image/build-image.ts';
import { createProgramCache } from '../runner/image/measured/measured-program.ts';
import { findRecipe } from '../runner/image/recipes.ts';
import { createRunnerMetrics } from '../runner/metrics/runner-metrics.ts';
import type { VmDriver } from '../runner/vm/driver.ts';
import { createVmPool } from '../runner/vm/pool.ts';
import { canMeasure } from '../runner/vm/qemu/can-measure.ts';
import { createQemuDriver } from '../runner/vm/qemu/qemu-driver.ts';
import { trackVms } from '../runner/vm/vms-in-use.ts';
import { handOverSignal } from './hand-over.ts';
import { defaultRuntimeDir } from './memory-folder.ts';
import { serveMetricsAt } from './serve-metrics-at.ts';

const presenceMs = 10_000;
// Longer than Redis is away for a failover.
const presentForMs = 120_000;
const reapIntervalMs = 60_000;
const troubles = new Set(['boot_failed', 'end_failed', 'unhealthy', 'breaker_open']);

/**
 * Runs a runner until `stop` aborts: builds under way are finished then; `handOver` leaves them to other runners, `kill`
 * gives them back and ends at once. `onReady` is called when it claims builds.
 */
export async function runRunnerProcess(options: {
  configuration: RunnerConfiguration;
  stop: AbortSignal;
  handOver: AbortSignal;
  kill: AbortSignal;
  onReady(): void;
  /** Given what to call when VMs are to boot a newer image, if there is one. */
  onRenew?(renew: () => void): void;
  /** Instead of the one that is configured; given by tests. */
  driver?: VmDriver;
}): Promise<void> {
  const { configuration, stop, kill } = options;
  const drainSeconds = configuration.EBB_DRAIN_SECONDS;
  const handOver = handOverSignal({ stop, asked: options.handOver, drainSeconds });
  const log = pino({ name: 'ebb-runner', hooks: logHooks });
  const keyring = await openKeyring(configuration);
  const queue = await createRedisQueue({
    url: configuration.EBB_REDIS_URL,
    ...(configuration.EBB_REDIS_CA ? { ca: configuration.EBB_REDIS_CA } : {}),
  });
  const metrics = createRunnerMetrics();
  const closeMetrics = await serveMetricsAt(configuration.EBB_METRICS_LISTEN, metrics, log);
  const over = new AbortController();
  const presence = await sayPresence(queue, configuration.EBB_RUNNER_NAME, over.signal);
  const { driver: plain, renewImage } = options.driver
    ? { driver: options.driver, renewImage: async () => {} }
    : await openDriver(configuration, queue, log, kill);
  const driver = metrics.countVms(plain);
  const reaping = reapNowAndThen(driver, log, over.signal);
  const vms = trackVms(
    createVmPool({
      driver,
      ...poolSize(configuration),
      memoryMib: configuration.EBB_POOL_MEMORY_MIB,
      cpus: 1,
      maxAgeMs: 30 * 60_000,
      onEvent: ({ type, ...about }) => log[troubles.has(type) ? 'warn' : 'info'](about, `pool: ${type}`),
    }),
  );
  metrics.watchPool(vms.pool);
  options.onRenew?.(() => {
    renewImage(kill)
      .then(() => vms.pool.renew())
      .catch((error) => log.warn({ error: String(error) }, 'the image could not be renewed'));
  });
  const health = configuration.EBB_HEALTH_PORT
    ? await answerHealth(configuration.EBB_HEALTH_PORT)
    : undefined;
  const controlPlane = createControlPlane({
    url: configuration.EBB_API_URL,
    apiKey: configuration.EBB_RUNNER_KEY,
  });
  const checking = keepCheckingVms({ controlPlane, inUse: vms.inUse, log }, over.signal);
  const keyWork = keepKeys({ controlPlane, keyring, log }, AbortSignal.any([stop, kill]));
  try {
    options.onReady();
    await runRunner(
      {
        name: configuration.EBB_RUNNER_NAME,
        queue,
        controlPlane,
        ...{ pool: vms.pool, track: vms.track },
        driver,
        keyring,
        allowHostSwap: configuration.EBB_ALLOW_HOST_SWAP,
        slots: configuration.EBB_SLOTS,
        metrics,
        log,
        handOver,
        signal: kill,
      },
      stop,
    );
  } finally {
    health?.close();
    await closeMetrics();
    await keyWork;
    await vms.pool.close();
    // Others reap what is left of a runner that does not say that it lives: so it says it until its VMs are gone.
    await driver.close();
    over.abort();
    await Promise.all([presence.ended, reaping, checking]);
    await queue.close();
  }
}

/** Beside the VMs of builds only those that wait: more would not fit where these were reckoned with. */
function poolSize(configuration: RunnerConfiguration) {
  const { EBB_POOL_MIN: min, EBB_POOL_MAX: max, EBB_SLOTS: slots, EBB_VM_DRIVER: kind } = configuration;
  // Emulated boots that share a core all reach their time limit.
  const most = kind === 'qemu' ? availableParallelism() : undefined;
  const bootsAtOnce = configuration.EBB_BOOTS_AT_ONCE ?? most;
  return { min, max, maxVms: slots + max, ...(bootsAtOnce !== undefined && { bootsAtOnce }) };
}

/** Answers 200 to everything on the machine's own loopback. */
async function answerHealth(port: number): Promise<Server> {
  const server = createServer((_request, response) => void response.end('ok\n'));
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function openDriver(
  configuration: RunnerConfiguration,
  queue: BuildQueue,
  log: Logger,
  signal: AbortSignal,
): Promise<{ driver: VmDriver; renewImage(signal: AbortSignal): Promise<void> }> {
  if (configuration.EBB_VM_DRIVER === 'ec2') {
    // Each launch asks EC2 for the template's image anew.
    return { driver: await openOnEc2(configuration, queue, log, signal), renewImage: async () => {} };
  }
  const cacheDir = resolve(configuration.EBB_CACHE_DIR, 'images');
  const imageOf = (recipe: string, given: AbortSignal) =>
    buildImage({
      recipe: findRecipe(recipe),
      cacheDir,
      signal: given,
      onProgress: (line) => log.info(line),
    });
  let image = await imageOf('base', signal);
  const runtimeDir = configuration.EBB_RUNTIME_DIR ?? (await defaultRuntimeDir());
  await mkdir(runtimeDir, { recursive: true, mode: 0o700 });
  const { EBB_QEMU_MEASURED_BOOT: setting } = configuration;
  const measured =
    setting === 'on' ||
    (setting === 'auto' && (await canMeasure(image, resolve(configuration.EBB_CACHE_DIR))));
  log.info({ measured_boot: measured ? 'on' : 'off', EBB_QEMU_MEASURED_BOOT: setting }, 'VMs by QEMU');
  const driver = createQemuDriver({
    get image() {
      return image;
    },
    otherImage: imageOf,
    runtimeDir,
    cacheDir: resolve(configuration.EBB_CACHE_DIR),
    template: configuration.EBB_QEMU_TEMPLATE,
    onTemplate: ({ type, ...about }) =>
      log[type === 'made' ? 'info' : 'warn'](about, `template of VMs: ${type}`),
    ...(measured && { measuredProgram: createProgramCache(cacheDir) }),
  });
  const renewImage = async (given: AbortSignal) => {
    image = await imageOf('base', given);
  };
  return { driver, renewImage };
}

async function openOnEc2(
  configuration: RunnerConfiguration,
  queue: BuildQueue,
  log: Logger,
  signal: AbortSignal,
): Promise<VmDriver> {
  // Loaded here only: the SDK costs a quarter of a second and 75 MB.
  const { openEc2Driver } = await import('../runner/vm/ec2/open-ec2-driver.ts');
  const list = (text = '') => text.split(',').filter((part) => part !== '');
  return await openEc2Driver(
    {
      region: configuration.EBB_EC2_REGION ?? '',
      endpoint: configuration.EBB_EC2_ENDPOINT,
      launchTemplate: configuration.EBB_EC2_LAUNCH_TEMPLATE ?? '',
      instanceTypes: list(configuration.EBB_EC2_INSTANCE_TYPES),
      subnets: list(configuration.EBB_EC2_SUBNETS),
      market: configuration.EBB_EC2_MARKET,
      images: Object.fromEntries(list(configuration.EBB_EC2_IMAGES).map((pair) => pair.split('='))),
      deployment: configuration.EBB_DEPLOYMENT,
      runner: configuration.EBB_RUNNER_NAME,
    },
    { isAlive: (runner) => queue.isPresent(runner), log, signal },
  );
}

/** Lets other runners know that this one lives, from before its first VM until after its last. */
async function sayPresence(queue: BuildQueue, runner: string, stop: AbortSignal) {
  await queue.present(runner, presentForMs);
  const go = async () => {
    while (!stop.aborted) {
      await delay(presenceMs, undefined, { signal: stop }).catch(() => undefined);
      if (!stop.aborted) await queue.present(runner, presentForMs).catch(() => undefined);
    }
  };
  return { ended: go() };
}

async function reapNowAndThen(driver: VmDriver, log: Logger, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    try {
      const reaped = await driver.reap();
      if (reaped.length > 0) log.warn({ vms: reaped }, 'ended VMs that a dead runner left');
    } catch (error) {
      log.warn({ error: String(error) }, 'VMs of dead runners could not be looked for');
    }
    await delay(reapIntervalMs, undefined, { signal: stop }).catch(() => undefined);
  }
}
