import { randomUUID } from 'node:crypto';
import { chmod, link, readFile, rm, writeFile } from 'node:fs/promises';

/**
 * The text of a file of mode 0600, which `make` writes when the file is not there. Of several processes that start at once
 * a single one makes it, whole or not at all; its folder must exist.
 */
export async function readOrCreateSecretFile(
  path: string,
  make: () => string | Promise<string>,
): Promise<string> {
  const found = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  if (found !== undefined) {
    await chmod(path, 0o600);
    return found;
  }
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, await make(), { mode: 0o600 });
  try {
    // Unlike `rename` it fails when the file is there.
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
  return await readFile(path, 'utf8');
}
