import { createReadStream, createWriteStream } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import type { Image } from '../build-image.ts';
import { unifiedKernelImage } from './unified-kernel-image.ts';

const zstdLevel = 9;

/**
 * The image as one EFI program, with the way it gets its identity on its command line. The same image gives the same
 * bytes. `work` is a folder for what is made on the way.
 */
export async function composeProgram(options: {
  image: Image;
  identityFrom: 'metadata' | 'serial';
  work: string;
  signal: AbortSignal;
}): Promise<Buffer> {
  const { image, identityFrom, work, signal } = options;
  const compressed = join(work, 'initramfs.zst');
  const zstd = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: zstdLevel } });
  await pipeline(createReadStream(image.initramfsPath), zstd, createWriteStream(compressed), { signal });
  const commandLine = `console=ttyS0 ${image.commandLine} ebb.identity=${identityFrom}`;
  const program = unifiedKernelImage(await readFile(image.stubPath), [
    { name: '.osrel', data: await readFile(image.osReleasePath) },
    { name: '.cmdline', data: Buffer.from(commandLine) },
    { name: '.linux', data: await readFile(image.kernelPath) },
    { name: '.initrd', data: await readFile(compressed) },
  ]);
  await rm(compressed);
  return program;
}
