import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { base } from '../runner/image/recipes.ts';
import { run } from '../runner/image/run.ts';

/** A Debian that autopkgtest can use; QEMU starts its kernel, so that it has no boot loader. */
interface PeerImage {
  diskPath: string;
  kernelPath: string;
  initrdPath: string;
}

// As mmdebstrap's manual makes one, by autopkgtest's own script, of few packages: it is to boot fast.
const system = [
  '--variant=apt',
  `--architectures=${base.architecture}`,
  '--include=linux-image-amd64,systemd-sysv,udev,ifupdown,isc-dhcp-client,python3-minimal,zstd',
  // Without a machine id each VM would set itself up as on its first boot.
  '--skip=cleanup/reproducible',
  '--customize-hook=/usr/share/autopkgtest/setup-commands/setup-testbed',
];
const environment = { AUTOPKGTEST_BUILD_QEMU: '1', AUTOPKGTEST_KEEP_APT_SOURCES: '1' };
const intoDisk = [
  'cd "$1"; mkdir root; tar --numeric-owner -xf root.tar -C root',
  'cp -L root/vmlinuz kernel; cp -L root/initrd.img initrd',
  // The guest finds nothing left to initialise.
  'mke2fs -q -t ext4 -E lazy_itable_init=0,lazy_journal_init=0 -d root disk 2G',
  'rm -r root root.tar',
].join('\n');

/** Gives the image out of the cache, or newly made of Debian packages. Throws `ImageError`. */
export async function buildPeerImage(cacheDir: string, signal: AbortSignal): Promise<PeerImage> {
  const recipe = JSON.stringify([system, environment, base.suite, base.sources, intoDisk]);
  const digest = createHash('sha256').update(recipe).digest('hex');
  const folder = join(cacheDir, `autopkgtest-${digest.slice(0, 16)}`);
  if (!existsSync(folder)) await makeIn(folder, signal);
  return {
    diskPath: join(folder, 'disk'),
    kernelPath: join(folder, 'kernel'),
    initrdPath: join(folder, 'initrd'),
  };
}

async function makeIn(folder: string, signal: AbortSignal): Promise<void> {
  const work = `${folder}.${randomUUID()}`;
  const options = { signal, environment, onProgress: () => {} };
  await mkdir(work, { recursive: true });
  try {
    await run('mmdebstrap', [...system, base.suite, join(work, 'root.tar'), ...base.sources], options);
    // Keeps the owners of files for who is not root.
    await run('fakeroot', ['sh', '-ec', intoDisk, 'sh', work], options);
    await rename(work, folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
