import { randomBytes } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeApiKey } from '../api/auth/api-key.ts';
import { loadOrCreateApiKeyTexts } from '../api/signing/key-files.ts';
import { loadOrCreateKeyEncryptionKey } from '../runner/custody/key-encryption-key.ts';

/**
 * Everything secret that the AWS platform is told, by the name of its Terraform variable, and the public half of the
 * key-encryption key. Made in a folder, once; what is there already stays.
 */
export async function loadOrCreatePlatformKeys(folder: string) {
  const api = await loadOrCreateApiKeyTexts(folder);
  const { publicKey } = await loadOrCreateKeyEncryptionKey(join(folder, 'key-encryption-key.json'));
  const password = () => randomBytes(24).toString('hex');
  return {
    variables: {
      token_key: api.tokenKey,
      receipt_key: api.receiptKey,
      hook_master_key: api.hookMasterKey,
      first_admin_key: await readOrCreate(join(folder, 'first-admin.key'), makeApiKey),
      runner_key: await readOrCreate(join(folder, 'runner.key'), makeApiKey),
      database_password: await readOrCreate(join(folder, 'database-password'), password),
      redis_token: await readOrCreate(join(folder, 'redis-token'), password),
    },
    publicKey: JSON.stringify(publicKey),
  };
}

/** `link` makes the file whole or not at all, so that a start that is cut off leaves no half of a key. */
async function readOrCreate(path: string, make: () => string): Promise<string> {
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, make(), { mode: 0o600 });
  try {
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
  return (await readFile(path, 'utf8')).trim();
}

/** Lines for a POSIX shell that set the variables; nothing in the values needs more than quotes. */
export function asShell(keys: Awaited<ReturnType<typeof loadOrCreatePlatformKeys>>): string {
  const line = (name: string, value: string) => `export ${name}='${value}'`;
  return [
    ...Object.entries(keys.variables).map(([name, value]) => line(`TF_VAR_${name}`, value)),
    line('EBB_KEY_ENCRYPTION_PUBLIC_KEY', keys.publicKey),
  ].join('\n');
}
