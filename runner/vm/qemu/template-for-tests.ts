import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { buildImage, type Image } from '../../image/build-image.ts';
import { base } from '../../image/recipes.ts';
import type { Vm } from '../driver.ts';
import { createQemuDriver } from './qemu-driver.ts';
import type { TemplateEvent } from './templates.ts';

export const cacheDir = join(import.meta.dirname, '../../../.ebb/cache');
export const shape = { memoryMib: 1024, cpus: 1 };

/** An image, and a folder in memory for the VMs of one test file. */
export async function openPlace() {
  const signal = AbortSignal.timeout(600_000);
  const image = await buildImage({ recipe: base, cacheDir: join(cacheDir, 'images'), signal });
  const folder = await mkdtemp('/dev/shm/ebb-template-test-');
  const runtimeDir = join(folder, 'run');
  return {
    image,
    runtimeDir,
    /** Names of the folders of VMs. */
    folders: async () => await readdir(runtimeDir).catch(() => []),
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

/** A driver that has a template, because its first VM booted. `events` gets what it tells of templates. */
export async function openWithTemplate(
  place: { image: Image; runtimeDir: string },
  events: TemplateEvent[] = [],
) {
  const { promise: told, resolve } = Promise.withResolvers<void>();
  const { image, runtimeDir } = place;
  const driver = createQemuDriver({
    ...{ image, runtimeDir, cacheDir, template: 'on' },
    onTemplate(event) {
      events.push(event);
      resolve();
    },
  });
  const first: Vm = await driver.launch({ id: 'vm_first', ...shape, signal: AbortSignal.timeout(120_000) });
  await first.destroy();
  await told;
  return driver;
}

/** Numbers of the QEMU processes below a process that went on from a template, or that booted. */
export async function machinesOf(parent: number, kind: 'restored' | 'booted'): Promise<number[]> {
  const numbers = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    numbers.map(async (number) => {
      const read = (name: string) => readFile(`/proc/${number}/${name}`, 'utf8').catch(() => '');
      const [command, status] = await Promise.all([read('cmdline'), read('status')]);
      const option = kind === 'restored' ? '\0-incoming\0' : '\0-kernel\0';
      const child = new RegExp(`^PPid:\\s+${parent}$`, 'm').test(status);
      return child && command.startsWith('qemu-system') && command.includes(option);
    }),
  );
  return numbers.filter((_, index) => found[index]).map(Number);
}
