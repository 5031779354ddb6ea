import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { buildImage, type Image } from '../../image/build-image.ts';
import { base } from '../../image/recipes.ts';
import { connect } from '../../ssh/connection.ts';
import { describeVmDriver } from '../driver-conformance.ts';
import { createIdentity } from '../identity.ts';
import { judgeOutside } from '../outside.ts';
import { judgeRamdiskProof } from '../ramdisk-proof.ts';
import { qemuArguments } from './arguments.ts';
import { readConsole } from './console.ts';
import { freePort } from './free-port.ts';
import { writeInitrd } from './initrd.ts';
import { observeProcess } from './observe-process.ts';
import { createQemuDriver } from './qemu-driver.ts';

const cacheDir = join(import.meta.dirname, '../../../.ebb/cache');
let image: Image;
let folder: string;
let runtimeDir: string;

before(async () => {
  image = await buildImage({
    recipe: base,
    cacheDir: join(cacheDir, 'images'),
    signal: AbortSignal.timeout(600_000),
  });
  const memory = await access('/dev/shm').then(
    () => '/dev/shm',
    () => tmpdir(),
  );
  folder = await mkdtemp(join(memory, 'ebb-qemu-test-'));
  runtimeDir = join(folder, 'run');
});
after(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Numbers of the QEMU processes that serve a VM of this test. */
async function processesOf(id: string): Promise<number[]> {
  const numbers = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    numbers.map(async (number) => {
      const command = await readFile(`/proc/${number}/cmdline`, 'utf8').catch(() => '');
      return command.startsWith('qemu-system') && command.includes(join(runtimeDir, id, 'initrd'));
    }),
  );
  return numbers.filter((_, index) => found[index]).map(Number);
}

async function remains(id: string): Promise<string[]> {
  const processes = (await processesOf(id)).map((number) => `process ${number}`);
  const files = (await readdir(runtimeDir)).filter((name) => name === id);
  return [...processes, ...files];
}

/** A VM as the driver makes it, but for a disk. */
async function launchWithDisk(disk: string) {
  const identity = createIdentity();
  const port = await freePort();
  const machine = {
    ...{ accelerator: 'tcg' as const, memoryMib: 1024, cpus: 1, sshPort: port },
    start: {
      kernelPath: image.kernelPath,
      commandLine: `console=ttyS0 ${image.commandLine} ebb.deadman=120`,
      initrdPath: await writeInitrd(folder, identity.archive, image.initramfsPath),
    },
  };
  const more = ['-drive', `if=none,id=disk,format=raw,file=${disk}`, '-device', 'nvme,drive=disk,serial=ebb'];
  const limited = 'ulimit -c 0; exec qemu-system-x86_64 "$@"';
  const qemu = spawn('/bin/sh', ['-c', limited, 'sh', ...qemuArguments(machine), ...more], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exit = once(qemu, 'close');
  await readConsole(qemu.stdout).saw('ebb: ready');
  const given = { host: '127.0.0.1', port, username: 'root', privateKey: identity.clientKey };
  const session = await connect({ ...given, hostKey: identity.hostKey, timeoutMs: 60_000 });
  return {
    pid: qemu.pid as number,
    async proof(): Promise<unknown> {
      const shown: Buffer[] = [];
      await session.exec('/usr/lib/ebb/ramdisk-proof', { onStdout: (chunk) => void shown.push(chunk) });
      return JSON.parse(Buffer.concat(shown).toString());
    },
    async end() {
      qemu.kill('SIGKILL');
      await exit;
      await session.close();
    },
  };
}

describeVmDriver('QEMU', {
  open: async () => createQemuDriver({ image, runtimeDir, cacheDir, template: 'off' }),
  remains,
});

describe('a VM under QEMU', () => {
  test('keeps its keys and its image nowhere but in the guest, and has no environment', async () => {
    const driver = createQemuDriver({ image, runtimeDir, cacheDir, template: 'off' });
    try {
      const signal = AbortSignal.timeout(120_000);
      const vm = await driver.launch({ id: 'vm_seen_from_outside', memoryMib: 1024, cpus: 1, signal });
      const [qemu] = await processesOf(vm.id);
      const read = (name: string) => readFile(`/proc/${qemu}/${name}`, 'utf8');
      const sharedKib = Number(/RssShmem:\s+(\d+)/.exec(await read('status'))?.[1]);
      assert.ok(sharedKib < 16 * 1024, `${sharedKib} KiB of the initrd are still in memory`);
      assert.deepEqual(await readdir(join(runtimeDir, vm.id)), ['owner.json']);
      assert.doesNotMatch(await read('cmdline'), /PRIVATE/);
      const variables = (await read('environ')).split('\0').map((entry) => entry.split('=')[0] ?? '');
      assert.deepEqual(
        variables.filter((name) => !['', 'PATH', 'PWD', 'OLDPWD', 'SHLVL', '_'].includes(name)),
        [],
      );
    } finally {
      await driver.close();
    }
    assert.deepEqual(await remains('vm_seen_from_outside'), []);
  });

  test('that has a disk is refused for what is seen from outside, though from inside it shows none', async () => {
    const disk = join(folder, 'disk');
    await writeFile(disk, Buffer.alloc(1024 * 1024));
    const vm = await launchWithDisk(disk);
    try {
      const inside = judgeRamdiskProof(await vm.proof());
      assert.ok(inside.ok, JSON.stringify(inside));
      const outside = judgeOutside(await observeProcess(vm.pid), {
        memoryKib: 1024 * 1024,
        hostSwapAllowed: true,
      });
      assert.ok(!outside.ok);
      assert.deepEqual(outside.violations, [
        `its command line has -drive if=none,id=disk,format=raw,file=${disk}`,
        'its command line has -device nvme,drive=disk,serial=ebb',
        `it has ${disk} open`,
      ]);
    } finally {
      await vm.end();
    }
  });

  test('that cannot boot fails with the end of its console, and leaves nothing', async () => {
    const initramfsPath = join(folder, 'bogus-initramfs');
    await writeFile(initramfsPath, 'this is not an initramfs'.repeat(1000));
    const driver = createQemuDriver({
      image: { ...image, initramfsPath },
      runtimeDir,
      cacheDir,
      template: 'off',
    });
    const launch = driver.launch({
      id: 'vm_bogus',
      memoryMib: 512,
      cpus: 1,
      signal: AbortSignal.timeout(60_000),
    });
    await assert.rejects(launch, { code: 'boot_failed', message: /console ended with:\n.*Kernel panic/s });
    assert.deepEqual(await remains('vm_bogus'), []);
  });

  test('that has too little memory says so', async () => {
    const driver = createQemuDriver({ image, runtimeDir, cacheDir, template: 'off' });
    const signal = AbortSignal.timeout(60_000);
    const launch = driver.launch({ id: 'vm_cramped', memoryMib: 448, cpus: 1, signal });
    await assert.rejects(launch, { code: 'boot_failed', message: /448 MiB cannot hold the image/ });
    assert.deepEqual(await remains('vm_cramped'), []);
  });

  test('that is too slow is given up', async () => {
    const driver = createQemuDriver({ image, runtimeDir, cacheDir, template: 'off', bootTimeoutMs: 300 });
    const signal = AbortSignal.timeout(60_000);
    const launch = driver.launch({ id: 'vm_slow', memoryMib: 1024, cpus: 1, signal });
    await assert.rejects(launch, { code: 'boot_timeout', message: /within 0\.3 s/ });
    assert.deepEqual(await remains('vm_slow'), []);
  });

  test('whose runner was killed is ended by the next runner', async () => {
    const script = fileURLToPath(import.meta.resolve('./launch-for-tests.ts'));
    const runner = spawn(process.execPath, [script, runtimeDir, cacheDir, 'vm_orphan'], { stdio: 'ignore' });
    const exit = once(runner, 'exit');
    while ((await processesOf('vm_orphan')).length === 0) {
      assert.equal(runner.exitCode, null, 'the runner ended by itself');
      await delay(50);
    }
    const driver = createQemuDriver({ image, runtimeDir, cacheDir, template: 'off' });
    assert.deepEqual(await driver.reap(), []);
    runner.kill('SIGKILL');
    await exit;
    assert.equal((await processesOf('vm_orphan')).length, 1);
    assert.deepEqual(await driver.reap(), ['vm_orphan']);
    assert.deepEqual(await remains('vm_orphan'), []);
  });
});
