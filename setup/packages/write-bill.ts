import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { billOfEbb } from './bill.ts';
import { readLock } from './lock-file.ts';

/** Writes the bill of materials of what runs as `ebb`: `npm run build:sbom`. See docs/releasing.md. */

const root = join(import.meta.dirname, '..', '..');
const lock = await readLock(root);
const path = join(root, 'dist', `ebb_${lock.version}.cdx.json`);
await mkdir(join(root, 'dist'), { recursive: true });
await writeFile(path, billOfEbb(lock));
console.log(relative('.', path));
