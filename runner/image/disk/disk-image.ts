import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Image } from '../build-image.ts';
import { checkDiskTools } from '../build-tools.ts';
import { nitroTpmMeasurements } from '../measured/measurements.ts';
import { run } from '../run.ts';
import { composeProgram } from './compose-program.ts';

/** A disk that holds an EFI system partition with one program on it, the image, and nothing else. */
export interface DiskFile {
  /** SHA-256 in hexadecimal over the image's digest and the way the disk is made. */
  digest: string;
  diskPath: string;
  /** SHA-256 in hexadecimal of the disk's bytes. */
  sha256: string;
  sizeBytes: number;
}

export interface DiskImage extends DiskFile {
  /** What a TPM of Amazon EC2 will have measured of its program. */
  nitroTpm: ReturnType<typeof nitroTpmMeasurements>;
}

/** Raise it when other bytes are made of the same image. */
const builderVersion = 2;
const mebibyte = 1024 * 1024;
const firstSector = mebibyte / 512;
// The date of every file of the image, too.
const timestamp = '1700000000';
const espType = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B';

/**
 * Makes the disk from which machines with UEFI firmware boot an image, Amazon EC2's among them, or gives it out of the
 * cache: a GPT with an EFI system partition, on it EFI/BOOT/BOOTX64.EFI, a unified kernel image of kernel, command line
 * and initramfs. The same image gives the same bytes. No key of any machine is in it. Throws `ImageError`.
 */
export async function buildDiskImage(options: {
  image: Image;
  cacheDir: string;
  signal: AbortSignal;
  onProgress?: (line: string) => void;
}): Promise<DiskImage> {
  const { image, cacheDir, signal, onProgress = () => {} } = options;
  const digest = createHash('sha256')
    .update(JSON.stringify([builderVersion, image.digest]))
    .digest('hex');
  const folder = join(cacheDir, `${digest}-disk`);
  const known = await readManifest(folder);
  if (known) return { ...known, diskPath: join(folder, 'disk.raw') };

  await checkDiskTools();
  const work = join(cacheDir, `.${digest}-${randomUUID()}`);
  await mkdir(work, { recursive: true });
  try {
    onProgress('compressing the initramfs');
    const program = await composeProgram({ image, identityFrom: 'metadata', work, signal });
    await writeFile(join(work, 'BOOTX64.EFI'), program);
    onProgress('making the disk');
    await makeDisk(work, digest, { signal, onProgress });
    const described = await describeDisk(join(work, 'disk.raw'), digest);
    const manifest = { ...described, nitroTpm: nitroTpmMeasurements(program) };
    for (const name of ['BOOTX64.EFI', 'esp']) await rm(join(work, name));
    await writeFile(join(work, 'disk.json'), JSON.stringify(manifest));
    // Somebody else may have been first, with the same bytes.
    await rename(work, folder).catch(async (error) => {
      if (!(await readManifest(folder))) throw error;
    });
    return { ...manifest, diskPath: join(folder, 'disk.raw') };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function readManifest(folder: string): Promise<Omit<DiskImage, 'diskPath'> | undefined> {
  const text = await readFile(join(folder, 'disk.json'), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : JSON.parse(text);
}

async function makeDisk(
  work: string,
  digest: string,
  running: { signal: AbortSignal; onProgress: (line: string) => void },
): Promise<void> {
  const program = join(work, 'BOOTX64.EFI');
  const esp = join(work, 'esp');
  const disk = join(work, 'disk.raw');
  const environment = { SOURCE_DATE_EPOCH: timestamp, MTOOLS_SKIP_CHECK: '1' };
  const tool = (name: string, ...args: string[]) => run(name, args, { ...running, environment });
  // FAT32 begins at 33 MiB; tables and rounding take less than 4.
  const espMebibytes = Math.max(40, Math.ceil((await stat(program)).size / mebibyte) + 4);
  await allocate(esp, espMebibytes * mebibyte);
  await tool('mkfs.vfat', '--invariant', '-F', '32', '-n', 'EBB', '-i', digest.slice(0, 8), esp);
  await tool('mmd', '-i', esp, '::/EFI', '::/EFI/BOOT');
  await tool('touch', '-d', `@${timestamp}`, program);
  await tool('mcopy', '-m', '-i', esp, program, '::/EFI/BOOT/BOOTX64.EFI');

  const end = firstSector + (espMebibytes * mebibyte) / 512;
  await allocate(disk, end * 512 + mebibyte);
  const table = [
    'label: gpt',
    `label-id: ${guidOf(digest, 'disk')}`,
    `start=${firstSector}, size=${end - firstSector}, type=${espType}, uuid=${guidOf(digest, 'esp')}, name=EBB`,
  ].join('\n');
  await writeFile(join(work, 'table'), `${table}\n`);
  await tool(
    'sh',
    '-c',
    'exec sfdisk --quiet --no-reread --no-tell-kernel "$1" < "$2"',
    'sh',
    disk,
    join(work, 'table'),
  );
  await rm(join(work, 'table'));
  const place = createWriteStream(disk, { flags: 'r+', start: firstSector * 512 });
  await pipeline(createReadStream(esp), place, { signal: running.signal });
}

/** All zeros, without taking room. */
async function allocate(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'w');
  await file.truncate(bytes);
  await file.close();
}

/** Like a random UUID (RFC 9562, version 8), but made from the digest. */
function guidOf(digest: string, what: string): string {
  const hex = createHash('sha256').update(`${digest} ${what}`).digest('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ]
    .join('-')
    .toUpperCase();
}

async function describeDisk(path: string, digest: string): Promise<Omit<DiskFile, 'diskPath'>> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return { digest, sha256: hash.digest('hex'), sizeBytes: (await stat(path)).size };
}
