import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { buildImage } from '../../runner/image/build-image.ts';
import { base } from '../../runner/image/recipes.ts';
import { createQemuDriver } from '../../runner/vm/qemu/qemu-driver.ts';

const cacheDir = join(import.meta.dirname, '../../.ebb/cache');
const script = fileURLToPath(import.meta.resolve('../../runner/vm/qemu/launch-for-tests.ts'));
const signal = AbortSignal.timeout(280_000);
const rounds = 5;
let runtimeDir: string;
const started: ChildProcess[] = [];

before(async () => {
  const memory = await access('/dev/shm').then(
    () => '/dev/shm',
    () => tmpdir(),
  );
  runtimeDir = await mkdtemp(join(memory, 'ebb-orphans-test-'));
});
after(async () => {
  for (const runner of started) runner.kill('SIGKILL');
  await rm(runtimeDir, { recursive: true, force: true });
});

/** https://github.com/github-aws-runners/terraform-aws-github-runner/issues/4724 */
test('a runner that is killed at any moment leaves no VM once the next one looks', async () => {
  const image = await buildImage({ recipe: base, cacheDir: join(cacheDir, 'images'), signal });
  const driver = createQemuDriver({ image, runtimeDir, cacheDir });
  for (let round = 0; round < rounds; round += 1) {
    const id = `vm_round_${round}`;
    const runner = spawn(process.execPath, [script, runtimeDir, cacheDir, id], { stdio: 'ignore' });
    started.push(runner);
    // Before its folder is there, while QEMU is being started, and well into the boot.
    const afterMs = Math.round(Math.random() * 1_500);
    if (round > 0) while (!(await readdir(runtimeDir)).includes(id)) await delay(5, undefined, { signal });
    await delay(afterMs, undefined, { signal });
    runner.kill('SIGKILL');
    await once(runner, 'exit');
    await driver.reap();
    await noneIn(id, `killed ${afterMs} ms after the ${round > 0 ? 'folder was made' : 'start'}`);
  }
  await driver.close();
});

/** A process that was not told to become a VM yet ends by itself, as soon as its input is closed. */
async function noneIn(id: string, when: string): Promise<void> {
  const end = AbortSignal.timeout(20_000);
  for (;;) {
    const left = (await commandLines()).filter((command) => command.includes(join(runtimeDir, id, 'initrd')));
    if (left.length === 0) return;
    if (end.aborted) assert.deepEqual(left, [], when);
    await delay(100);
  }
}

async function commandLines(): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  return await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
}
