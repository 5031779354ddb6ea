import { createHash } from 'node:crypto';
import { access, constants, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Image } from '../../image/build-image.ts';
import { readConsole } from './console.ts';
import { spawnQemu } from './spawn-qemu.ts';

const timeoutMs = 4_000;
const shellCannotFind = 127;

/**
 * Whether KVM boots this kernel here. A /dev/kvm that opens proves nothing on a nested host, so a guest without a root
 * file system is booted: it works when the kernel gets far enough to complain. The answer is kept until the machine
 * reboots.
 */
export async function probeKvm(image: Image, cacheDir: string): Promise<boolean> {
  const openable = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!openable) return false;
  const bootId = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  const key = createHash('sha256').update(`${image.digest} ${bootId.trim()}`).digest('hex');
  const path = join(cacheDir, `kvm-${key.slice(0, 16)}`);
  const known = await readFile(path, 'utf8').catch(() => undefined);
  if (known !== undefined) return known === 'yes';
  const boots = await bootsWithKvm(image);
  // Where QEMU is missing nothing was learnt.
  if (boots === undefined) return false;
  await mkdir(cacheDir, { recursive: true });
  await writeFile(`${path}.${process.pid}`, boots ? 'yes' : 'no');
  await rename(`${path}.${process.pid}`, path);
  return boots;
}

async function bootsWithKvm(image: Image): Promise<boolean | undefined> {
  const qemu = await spawnQemu({
    accelerator: 'kvm',
    memoryMib: 256,
    cpus: 1,
    start: { kernelPath: image.kernelPath, commandLine: 'console=ttyS0 quiet panic=-1' },
  });
  const gone = new Promise<false | undefined>((resolve) => {
    qemu.once('close', (code) => resolve(code === shellCannotFind ? undefined : false));
  });
  qemu.stderr.resume();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, false);
  });
  const booted = readConsole(qemu.stdout)
    .saw('Kernel panic')
    .then(() => true);
  try {
    return await Promise.race([booted, late, gone]);
  } finally {
    clearTimeout(timer);
    qemu.kill('SIGKILL');
    await gone;
  }
}
