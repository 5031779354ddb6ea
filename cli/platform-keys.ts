import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { makeApiKey } from '../api/auth/api-key.ts';
import { loadOrCreateApiKeyTexts } from '../api/signing/key-files.ts';
import { readOrCreateSecretFile } from '../contract/secret-file.ts';

/**
 * Everything secret that the AWS platform is told, by the name of its Terraform variable. Made in a folder, once; what
 * is there already stays.
 */
export async function loadOrCreatePlatformKeys(folder: string): Promise<Record<string, string>> {
  const api = await loadOrCreateApiKeyTexts(folder);
  const password = () => randomBytes(24).toString('hex');
  return {
    token_key: api.tokenKey,
    receipt_key: api.receiptKey,
    hook_master_key: api.hookMasterKey,
    first_admin_key: await readOrCreateSecretFile(join(folder, 'first-admin.key'), makeApiKey),
    runner_key: await readOrCreateSecretFile(join(folder, 'runner.key'), makeApiKey),
    database_password: await readOrCreateSecretFile(join(folder, 'database-password'), password),
    redis_token: await readOrCreateSecretFile(join(folder, 'redis-token'), password),
  };
}

/** Lines for a POSIX shell that set the variables; nothing in the values needs more than quotes. */
export function asShell(keys: Record<string, string>): string {
  return Object.entries(keys)
    .map(([name, value]) => `export TF_VAR_${name}='${value}'`)
    .join('\n');
}
