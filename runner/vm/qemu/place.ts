import { createHash } from 'node:crypto';
import { mkdir, readFile, readlink, stat } from 'node:fs/promises';

/**
 * Names the place from where VMs of this folder are reached: who has the same folder, processes and loopback since the
 * same boot gives the same name. A digest, because the queue knows it and need not know more.
 */
export async function placeOf(runtimeDir: string): Promise<string> {
  await mkdir(runtimeDir, { recursive: true, mode: 0o700 });
  const { dev, ino } = await stat(runtimeDir);
  const seen = await Promise.all([
    readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    readlink('/proc/self/ns/pid'),
    readlink('/proc/self/ns/net'),
  ]);
  const digest = createHash('sha256')
    .update(JSON.stringify([...seen, dev, ino]))
    .digest('base64url');
  return `qemu:${digest}`;
}
