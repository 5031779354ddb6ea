import { buildImage } from '../../image/build-image.ts';
import { base } from '../../image/recipes.ts';
import { createQemuDriver } from './qemu-driver.ts';

// A runner that a test kills: boots one VM in the folder it is given.
const [runtimeDir = '', cacheDir = '', id = ''] = process.argv.slice(2);
const signal = AbortSignal.timeout(120_000);
const image = await buildImage({ recipe: base, cacheDir: `${cacheDir}/images`, signal });
const driver = createQemuDriver({ image, runtimeDir, cacheDir });
await driver.launch({ id, memoryMib: 1024, cpus: 1, signal });
