import { createReadStream, createWriteStream } from 'node:fs';
import { rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

const highWaterMark = 4 * 1024 * 1024;

/** Puts the identity before the image, in one file on a tmpfs: QEMU takes one initrd, and only from a real file. */
export async function writeInitrd(folder: string, identity: Buffer, imagePath: string): Promise<string> {
  const path = join(folder, 'initrd');
  await writeFile(path, identity, { mode: 0o600 });
  await pipeline(
    createReadStream(imagePath, { highWaterMark }),
    createWriteStream(path, { flags: 'a', highWaterMark }),
  );
  return path;
}

/**
 * Removes it once the guest has it. QEMU maps the file for as long as it lives, so removing alone would keep the keys
 * and the image's size in memory for each VM: it is emptied first, and grown again with nothing in it because a read
 * beyond the end of a mapped file kills the reader.
 */
export async function dropInitrd(path: string): Promise<void> {
  const { size } = await stat(path);
  await truncate(path, 0);
  await truncate(path, size);
  await rm(path);
}
