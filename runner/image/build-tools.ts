import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { ImageError } from './image-error.ts';
import type { Recipe } from './recipes.ts';

const packageOf: Record<string, string> = {
  mmdebstrap: 'mmdebstrap',
  cpio: 'cpio',
  'dpkg-deb': 'dpkg',
  'apt-get': 'apt',
  awk: 'mawk',
  lz4: 'lz4',
};
const diskTools: Record<string, string> = {
  'mkfs.vfat': 'dosfstools',
  mcopy: 'mtools',
  sfdisk: 'fdisk',
};
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

export interface CheckBuildToolsOptions {
  recipe: Recipe;
  /** Folders to look in; those of this process by default. */
  searchPath?: string;
  keyringPath?: string;
}

/** Throws one `ImageError` `tools_missing` that names everything missing and the command that installs it. */
export async function checkBuildTools(options: CheckBuildToolsOptions): Promise<void> {
  const { recipe, searchPath = systemPath(), keyringPath = keyring } = options;
  const wanted = Object.keys(packageOf).filter((tool) => tool !== 'lz4' || recipe.compression === 'lz4');
  const missing: { what: string; install: string }[] = [];
  for (const tool of wanted) {
    if (!(await isOnPath(tool, searchPath))) missing.push({ what: tool, install: packageOf[tool] ?? tool });
  }
  if (!(await canAccess(keyringPath, constants.R_OK))) {
    missing.push({ what: `Debian's signing keys (${keyringPath})`, install: 'debian-archive-keyring' });
  }
  refuse('Making the image of the build machine', missing);
}

/** The same for what a disk is made with. */
export async function checkDiskTools(searchPath = systemPath()): Promise<void> {
  const missing: { what: string; install: string }[] = [];
  for (const [what, install] of Object.entries(diskTools))
    if (!(await isOnPath(what, searchPath))) missing.push({ what, install });
  refuse('Making a disk of the image', missing);
}

function refuse(task: string, missing: { what: string; install: string }[]): void {
  if (missing.length === 0) return;
  const names = missing.map(({ what }) => what).join(', ');
  const install = [...new Set(missing.map(({ install }) => install))].join(' ');
  throw new ImageError(
    'tools_missing',
    `${task} needs ${names}. Install them: sudo apt-get install ${install}`,
  );
}

/** The search path as this process has it, with the folders that hold system tools. */
export function systemPath(): string {
  return [process.env.PATH, '/usr/sbin', '/usr/bin', '/sbin', '/bin'].filter(Boolean).join(delimiter);
}

async function isOnPath(tool: string, searchPath: string): Promise<boolean> {
  for (const folder of searchPath.split(delimiter)) {
    if (await canAccess(join(folder, tool), constants.X_OK)) return true;
  }
  return false;
}

async function canAccess(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}
