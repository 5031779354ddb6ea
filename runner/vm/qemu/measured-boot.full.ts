import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { buildImage, type Image } from '../../image/build-image.ts';
import { composeProgram } from '../../image/disk/compose-program.ts';
import { buildDiskImage } from '../../image/disk/disk-image.ts';
import { createProgramCache, type MeasuredProgram } from '../../image/measured/measured-program.ts';
import { measurementsOf } from '../../image/measured/measurements.ts';
import { base } from '../../image/recipes.ts';
import { connect } from '../../ssh/connection.ts';
import { describeVmDriver } from '../driver-conformance.ts';
import { startLabMachine } from '../ec2/lab-machine-for-tests.ts';
import { createIdentity } from '../identity.ts';
import { attest } from '../tpm/attest.ts';
import { createQemuDriver } from './qemu-driver.ts';
import { startTpm } from './swtpm.ts';

// Takes minutes: npm run test:measured-boot. `npm test` boots measured twice.
const cacheDir = join(import.meta.dirname, '../../../.ebb/cache');
const signal = AbortSignal.timeout(20 * 60_000);
let image: Image;
let program: MeasuredProgram;
let folder: string;

before(async () => {
  image = await buildImage({ recipe: base, cacheDir: join(cacheDir, 'images'), signal });
  program = await createProgramCache(join(cacheDir, 'images'))(image, signal);
  folder = await mkdtemp('/dev/shm/ebb-measured-');
});
after(() => rm(folder, { recursive: true, force: true }));

const openDriver = (measured: MeasuredProgram) =>
  createQemuDriver({
    ...{ image, cacheDir, runtimeDir: join(folder, 'run') },
    measuredProgram: async () => measured,
  });

describeVmDriver('QEMU with measured boot', {
  open: async () => openDriver(program),
  remains: async (id) => (await readdir(join(folder, 'run'))).filter((name) => name === id),
});

test('a VM whose initramfs was changed by one byte is refused, with what differs', async () => {
  const initramfs = await readFile(image.initramfsPath);
  // In a comment of init, so that it boots all the same.
  initramfs.write('p', initramfs.indexOf('# Process 1 of a build machine') + 2);
  const initramfsPath = join(folder, 'initramfs');
  await writeFile(initramfsPath, initramfs);
  const changed = await composeProgram({
    ...{ image: { ...image, initramfsPath }, identityFrom: 'serial', work: folder, signal },
  });
  const path = join(folder, 'changed.efi');
  await writeFile(path, changed);
  const driver = openDriver({ ...program, path });
  try {
    const vm = await driver.launch({ id: 'vm_changed', memoryMib: 1024, cpus: 1, signal });
    const { host, port, hostKey, clientKey: privateKey } = vm;
    const root = await connect({ host, port, hostKey, privateKey, username: 'root', timeoutMs: 60_000 });
    assert.deepEqual(await vm.attest?.(root, signal), {
      ok: false,
      violations: [
        'the unified kernel image is not that of the image (register 4)',
        'the initramfs that the kernel got is not that of the image (register 9)',
        'the section .initrd is not that of the image (register 11)',
      ],
    });
    await root.close();
  } finally {
    await driver.close();
  }
});

test('a machine that boots from the disk, as on EC2, measures what is expected of the program on it', async () => {
  const disk = await buildDiskImage({ image, cacheDir: join(cacheDir, 'images'), signal });
  const measurements = measurementsOf(
    await composeProgram({ image, identityFrom: 'metadata', work: folder, signal }),
    'boot-option',
  );
  const identity = createIdentity({ deadmanSeconds: 600 });
  const tpm = await startTpm(folder, signal, async () => {});
  const machine = await startLabMachine({
    ...{ diskPath: disk.diskPath, userData: identity.archive, memoryMib: 2048, tpm: tpm.control },
  });
  try {
    while (!machine.console().includes('ebb: ready')) {
      assert.ok(!signal.aborted, machine.console());
      await delay(200);
    }
    const { hostKey, clientKey: privateKey } = identity;
    const { host, port } = machine;
    const root = await connect({ host, port, hostKey, privateKey, username: 'root', timeoutMs: 60_000 });
    const verdict = await attest(root, { attestationKey: tpm.attestationKey, measurements }, signal);
    assert.equal(verdict.ok, true, JSON.stringify(verdict));
    await root.close();
  } finally {
    await machine.destroy();
    await tpm.end();
  }
});
