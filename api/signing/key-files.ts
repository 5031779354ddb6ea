import { generateKeyPairSync, type JsonWebKey, randomBytes } from 'node:crypto';
import { chmod, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The secrets of an API process. Every process of one installation has the same. */
export interface ApiKeys {
  tokenKey: JsonWebKey;
  receiptKey: JsonWebKey;
  /** 32 bytes from which the secrets of hooks are derived. */
  hookMasterKey: Buffer;
}

/** Reads the API's keys from files of mode 0600 in a folder, and makes those that are not there. */
export async function loadOrCreateApiKeys(folder: string): Promise<ApiKeys> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const ed25519 = () => JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }));
  const read = async (name: string, make: () => string) => await readOrCreate(join(folder, name), make);
  return {
    tokenKey: JSON.parse(await read('token-key.json', ed25519)),
    receiptKey: JSON.parse(await read('receipt-key.json', ed25519)),
    hookMasterKey: Buffer.from(
      await read('hook-master-key', () => randomBytes(32).toString('base64')),
      'base64',
    ),
  };
}

/** Of two processes that start at once only one makes the file: `link` fails when it is there. */
async function readOrCreate(path: string, make: () => string): Promise<string> {
  const found = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  if (found !== undefined) {
    await chmod(path, 0o600);
    return found;
  }
  const temporary = `${path}.${process.pid}`;
  await writeFile(temporary, make(), { mode: 0o600 });
  try {
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  return await readFile(path, 'utf8');
}
