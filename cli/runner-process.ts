import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Logger, pino } from 'pino';
import { createRedisQueue } from '../queue/redis-queue.ts';
import { createControlPlane } from '../runner/build/control-plane.ts';
import { runRunner } from '../runner/build/runner.ts';
import type { RunnerConfiguration } from '../runner/configuration.ts';
import { loadOrCreateKeyEncryptionKey } from '../runner/custody/key-encryption-key.ts';
import { buildImage } from '../runner/image/build-image.ts';
import { findRecipe } from '../runner/image/recipes.ts';
import { createVmPool } from '../runner/vm/pool.ts';
import { createQemuDriver } from '../runner/vm/qemu/qemu-driver.ts';
import { memoryFolder } from './memory-folder.ts';

/**
 * Runs a runner until `stop` aborts: builds under way are finished then; `kill` gives them back and ends at once.
 * `onReady` is called when it claims builds.
 */
export async function runRunnerProcess(options: {
  configuration: RunnerConfiguration;
  stop: AbortSignal;
  kill: AbortSignal;
  onReady(): void;
}): Promise<void> {
  const { configuration, stop, kill } = options;
  const log = pino({ name: 'ebb-runner' });
  const key = await loadOrCreateKeyEncryptionKey(configuration.EBB_KEY_ENCRYPTION_KEY_FILE);
  const driver = await openDriver(configuration, log, kill);
  const reaped = await driver.reap();
  if (reaped.length > 0) log.warn({ vms: reaped }, 'ended VMs that a dead runner left');
  const queue = await createRedisQueue({
    url: configuration.EBB_REDIS_URL,
    ...(configuration.EBB_REDIS_CA ? { ca: configuration.EBB_REDIS_CA } : {}),
  });
  const pool = createVmPool({
    driver,
    size: configuration.EBB_POOL_SIZE,
    memoryMib: configuration.EBB_POOL_MEMORY_MIB,
    cpus: 1,
    maxAgeMs: 30 * 60_000,
    onEvent: ({ type, ...about }) => log[type === 'boot_failed' ? 'warn' : 'info'](about, `pool: ${type}`),
  });
  try {
    options.onReady();
    await runRunner(
      {
        name: configuration.EBB_RUNNER_NAME,
        queue,
        controlPlane: createControlPlane({
          url: configuration.EBB_API_URL,
          apiKey: configuration.EBB_RUNNER_KEY,
        }),
        pool,
        keyEncryptionKey: key.privateKey,
        slots: configuration.EBB_SLOTS,
        log,
        signal: kill,
      },
      stop,
    );
  } finally {
    await pool.close();
    await driver.close();
    await queue.close();
  }
}

async function openDriver(configuration: RunnerConfiguration, log: Logger, signal: AbortSignal) {
  const image = await buildImage({
    recipe: findRecipe('base'),
    cacheDir: resolve(configuration.EBB_CACHE_DIR, 'images'),
    signal,
    onProgress: (line) => log.info(line),
  });
  const runtimeDir = configuration.EBB_RUNTIME_DIR ?? join(await memoryFolder(tmpdir()), 'ebb-runner');
  await mkdir(runtimeDir, { recursive: true, mode: 0o700 });
  return createQemuDriver({ image, runtimeDir, cacheDir: resolve(configuration.EBB_CACHE_DIR) });
}
