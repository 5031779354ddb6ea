import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Image } from '../build-image.ts';
import { composeProgram } from '../disk/compose-program.ts';
import { type Measurement, measurementsOf } from './measurements.ts';

/** An image as one program for firmware under QEMU, and what its start will have measured. */
export interface MeasuredProgram {
  path: string;
  measurements: Measurement[];
}

/** Raise it when other bytes are made of the same image. */
const builderVersion = 1;
// What QEMU's -kernel writes into a file that is no Linux kernel: magic number and place of an old kernel's command
// line, in words that a PE file leaves free. Already there, it changes nothing, and the file is what is measured.
const oldCommandLine = { at: 0x20, value: 0x9ff0_a33f };

/** Gives programs of images, each read and computed once. */
export function createProgramCache(cacheDir: string) {
  const known = new Map<string, Promise<MeasuredProgram>>();
  return (image: Image, signal: AbortSignal): Promise<MeasuredProgram> => {
    const program = known.get(image.digest) ?? buildMeasuredProgram({ image, cacheDir, signal });
    known.set(image.digest, program);
    program.catch(() => known.delete(image.digest));
    return program;
  };
}

/** Makes the program of an image, or takes it out of the cache, and computes its measurements from its bytes. */
export async function buildMeasuredProgram(options: {
  image: Image;
  cacheDir: string;
  signal: AbortSignal;
}): Promise<MeasuredProgram> {
  const { image, cacheDir, signal } = options;
  const digest = createHash('sha256')
    .update(JSON.stringify([builderVersion, image.digest]))
    .digest('hex');
  const path = join(cacheDir, `${digest}.efi`);
  const known = await readFile(path).catch(() => undefined);
  const program = known ?? (await compose(image, path, signal));
  return { path, measurements: measurementsOf(program, 'hypervisor') };
}

async function compose(image: Image, path: string, signal: AbortSignal): Promise<Buffer> {
  const work = `${path}-${randomUUID()}`;
  await mkdir(work, { recursive: true });
  try {
    const program = await composeProgram({ image, identityFrom: 'serial', work, signal });
    program.writeUInt32LE(oldCommandLine.value, oldCommandLine.at);
    await writeFile(join(work, 'program.efi'), program);
    // Whoever is second puts the same bytes in its place.
    await rename(join(work, 'program.efi'), path);
    return program;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
