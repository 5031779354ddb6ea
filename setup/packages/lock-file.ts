import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What package-lock.json says of a package: https://docs.npmjs.com/cli/configuring-npm/package-lock-json */
export interface LockedPackage {
  version: string;
  integrity?: string;
  /** Where it comes from when that is not the registry. */
  resolved?: string;
  link?: boolean;
  license?: string;
  dev?: boolean;
  /** Came inside the archive of the package that it lies under. */
  inBundle?: boolean;
  hasInstallScript?: boolean;
}

/** The parts of package.json that name packages, each with the version that is wanted. */
export type Manifest = Partial<
  Record<'dependencies' | 'devDependencies' | 'optionalDependencies', Record<string, string>>
>;

export interface Lock {
  manifest: Manifest;
  /** Of the project itself. */
  version: string;
  /** By the folder that npm puts it into: `node_modules/a/node_modules/b`. */
  packages: Map<string, LockedPackage>;
}

/** Reads package.json and package-lock.json of a folder. */
export async function readLock(folder: string): Promise<Lock> {
  const read = async (name: string) => JSON.parse(await readFile(join(folder, name), 'utf8'));
  const { packages } = (await read('package-lock.json')) as { packages: Record<string, LockedPackage> };
  const { '': _root, ...others } = packages;
  const manifest = await read('package.json');
  return { manifest, version: manifest.version, packages: new Map(Object.entries(others)) };
}

/** The name of the package that lies in a folder of node_modules. */
export function packageName(path: string): string {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
}
