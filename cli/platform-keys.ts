import { type JsonWebKey, randomBytes } from 'node:crypto';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeApiKey } from '../api/auth/api-key.ts';
import { loadOrCreateApiKeyTexts } from '../api/signing/key-files.ts';
import { readOrCreateSecretFile } from '../contract/secret-file.ts';
import { loadOrCreateKeyEncryptionKey } from '../runner/custody/key-encryption-key.ts';

/**
 * Everything secret that the AWS platform is told, by the name of its Terraform variable, and the public half of the
 * key-encryption key. Made in a folder, once; what is there already stays.
 */
export async function loadOrCreatePlatformKeys(folder: string) {
  const api = await loadOrCreateApiKeyTexts(folder);
  const publicKey = await publicKeyEncryptionKey(join(folder, 'key-encryption-key.json'));
  const password = () => randomBytes(24).toString('hex');
  return {
    variables: {
      token_key: api.tokenKey,
      receipt_key: api.receiptKey,
      hook_master_key: api.hookMasterKey,
      first_admin_key: await readOrCreateSecretFile(join(folder, 'first-admin.key'), makeApiKey),
      runner_key: await readOrCreateSecretFile(join(folder, 'runner.key'), makeApiKey),
      database_password: await readOrCreateSecretFile(join(folder, 'database-password'), password),
      redis_token: await readOrCreateSecretFile(join(folder, 'redis-token'), password),
    },
    publicKey: JSON.stringify(publicKey),
    retiredReceiptKeys: api.otherReceiptKeys,
  };
}

/** Where the private half was taken away, the public one that stayed is it: another key would open nothing. */
async function publicKeyEncryptionKey(path: string): Promise<JsonWebKey> {
  const isThere = async (file: string) =>
    await access(file).then(
      () => true,
      () => false,
    );
  if (!(await isThere(path)) && (await isThere(`${path}.pub`)))
    return JSON.parse(await readFile(`${path}.pub`, 'utf8')) as JsonWebKey;
  return (await loadOrCreateKeyEncryptionKey(path)).publicKey;
}

/** Lines for a POSIX shell that set the variables; nothing in the values needs more than quotes. */
export function asShell(keys: Awaited<ReturnType<typeof loadOrCreatePlatformKeys>>): string {
  const line = (name: string, value: string) => `export ${name}='${value}'`;
  return [
    ...Object.entries(keys.variables).map(([name, value]) => line(`TF_VAR_${name}`, value)),
    line('EBB_KEY_ENCRYPTION_PUBLIC_KEY', keys.publicKey),
    line('EBB_RETIRED_RECEIPT_KEYS', keys.retiredReceiptKeys),
  ].join('\n');
}
