import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { connect, type SshSession } from '../../ssh/connection.ts';
import { publicKeyBlob } from '../../ssh/public-key-line.ts';
import { type LabMachine, startLabMachine } from '../../vm/ec2/lab-machine-for-tests.ts';
import { createIdentity } from '../../vm/identity.ts';
import { judgeRamdiskProof } from '../../vm/ramdisk-proof.ts';
import { buildImage, type Image } from '../build-image.ts';
import { base } from '../recipes.ts';
import { buildDiskImage, type DiskImage } from './disk-image.ts';
import { readSections } from './unified-kernel-image.ts';

const run = promisify(execFile);
const cacheDir = join(import.meta.dirname, '../../../.ebb/cache/images');
const signal = AbortSignal.timeout(5 * 60_000);
let image: Image;
let disk: DiskImage;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-disk-'));
  image = await buildImage({ recipe: base, cacheDir, signal });
  disk = await buildDiskImage({ image, cacheDir, signal });
});
after(() => rm(folder, { recursive: true }));

describe('the disk of an image', () => {
  test('holds an EFI system partition and nothing else', async () => {
    const { stdout } = await run('sfdisk', ['--json', disk.diskPath]);
    const { partitiontable: table } = JSON.parse(stdout);
    assert.equal(table.label, 'gpt');
    assert.deepEqual(
      table.partitions.map((partition: { type: string }) => partition.type),
      ['C12A7328-F81F-11D2-BA4B-00A0C93EC93B'],
    );
    const [{ start, size }] = table.partitions;
    const esp = join(folder, 'esp');
    const whole = await readFile(disk.diskPath);
    const file = await open(esp, 'w');
    await file.writeFile(whole.subarray(start * 512, (start + size) * 512));
    await file.close();
    const listed = await run('mdir', ['-b', '-/', '-i', esp, '::/']);
    assert.deepEqual(
      listed.stdout.split('\n').filter((line) => line !== '' && !line.endsWith('/')),
      ['::/EFI/BOOT/BOOTX64.EFI'],
    );
    await run('mcopy', ['-i', esp, '::/EFI/BOOT/BOOTX64.EFI', join(folder, 'program')]);
  });

  test('boots kernel, command line and initramfs of the image, and no key is among them', async () => {
    const sections = new Map(
      readSections(await readFile(join(folder, 'program'))).map(({ name, data }) => [name, data]),
    );
    assert.equal(
      sections.get('.cmdline')?.toString(),
      `console=ttyS0 ${image.commandLine} ebb.identity=metadata`,
    );
    assert.match(image.commandLine, /initcall_blacklist=nvme_init/);
    assert.deepEqual(sections.get('.linux'), await readFile(image.kernelPath));
    assert.match(sections.get('.osrel')?.toString() ?? '', /^ID=debian$/m);
    const list = await run('sh', ['-c', 'busybox cpio -t < "$0" || cpio -t < "$0"', image.initramfsPath], {
      maxBuffer: 64 * 1024 * 1024,
    });
    assert.ok(!/ssh_host_|authorized_keys|ebb-identity\//.test(list.stdout));
  });

  test('has the same bytes whenever it is made', async () => {
    const again = await buildDiskImage({ image, cacheDir: folder, signal });
    assert.equal(again.sha256, disk.sha256);
    assert.deepEqual(again.nitroTpm, disk.nitroTpm);
    assert.match(disk.nitroTpm.PCR4, /^[0-9a-f]{96}$/);
    const bytes = await readFile(again.diskPath);
    assert.equal(createHash('sha256').update(bytes).digest('hex'), disk.sha256);
    assert.equal(bytes.length, disk.sizeBytes);
  });
});

describe('a machine that boots from the disk', () => {
  const identity = createIdentity({ deadmanSeconds: 60 });
  let machine: LabMachine;
  let root: SshSession;

  const logIn = (hostKey: Buffer) =>
    connect({
      host: machine.host,
      port: machine.port,
      username: 'root',
      privateKey: identity.clientKey,
      hostKey,
      timeoutMs: 20_000,
      signal,
    });
  const output = async (command: string) => {
    const said: Buffer[] = [];
    const { code } = await root.exec(command, { onStdout: (chunk) => void said.push(chunk), signal });
    return { code, text: Buffer.concat(said).toString() };
  };

  before(async () => {
    machine = await startLabMachine({
      diskPath: disk.diskPath,
      userData: identity.archive,
      memoryMib: 2048,
    });
    while (!machine.console().includes('ebb: ready')) {
      assert.ok(!signal.aborted, machine.console());
      await delay(200);
    }
    root = await logIn(identity.hostKey);
  });
  after(async () => {
    await root?.close();
    await machine?.destroy();
  });

  test('sees no block device, though a disk is attached', async () => {
    const { text } = await output('/usr/lib/ebb/ramdisk-proof');
    const verdict = judgeRamdiskProof(JSON.parse(text));
    assert.ok(verdict.ok, JSON.stringify(verdict));
    assert.equal(
      (await output('grep -l 0x010802 /sys/bus/pci/devices/*/class')).code,
      0,
      'an NVMe device is there',
    );
  });

  test('asked for its identity once, by version 2, and cannot ask again', async () => {
    assert.deepEqual(machine.metadata.asked, ['PUT /latest/api/token 200', 'GET /latest/user-data 200']);
    const { code } = await output('curl -s -m 2 http://169.254.169.254/latest/user-data');
    assert.notEqual(code, 0);
    assert.equal(machine.metadata.asked.length, 2);
    assert.notEqual((await output('ls /ebb-identity /run/ebb/user-data')).code, 0);
  });

  test('changes its host key on request, so that what it was launched with opens nothing', async () => {
    const { code, text } = await output('/usr/lib/ebb/rekey');
    assert.equal(code, 0);
    const fresh = publicKeyBlob(text.trim());
    assert.notDeepEqual(fresh, identity.hostKey);
    await assert.rejects(logIn(identity.hostKey), { code: 'host_key_mismatch' });
    await (await logIn(fresh)).close();
    assert.equal((await output('true')).code, 0, 'the connection that asked stays');
  });
});
