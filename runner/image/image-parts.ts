import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { VmImage } from '../../contract/vm.ts';
import type { Image } from './build-image.ts';

/** SHA-256 of what a machine of this image boots, over the bytes themselves. */
export async function digestParts({ name, kernelPath, initramfsPath }: Image): Promise<VmImage> {
  const [kernel, initramfs] = await Promise.all([sha256Of(kernelPath), sha256Of(initramfsPath)]);
  return { recipe: name, digests: { kernel, initramfs } };
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash);
  return hash.digest('hex');
}
