import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Recipe } from './recipes.ts';

/** Raise it when build-image.ts makes other bytes of the same recipe and files. */
const builderVersion = 2;

export interface Ingredients {
  recipe: Recipe;
  /** Text of the script that puts the image together. */
  script: string;
  /** Folder of the guest's own files. */
  folder: string;
}

/** SHA-256 in hexadecimal over everything of ours that an image is made of; file names count, dates do not. */
export async function digestOf({ recipe, script, folder }: Ingredients): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([builderVersion, recipe, script]));
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const path of paths.sort()) {
    const content = createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
    hash.update(JSON.stringify([relative(folder, path), content]));
  }
  return hash.digest('hex');
}
