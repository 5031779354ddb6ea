import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { makeApiKey } from '../api/auth/api-key.ts';
import { loadOrCreateApiKeyTexts } from '../api/signing/key-files.ts';
import { readOrCreateSecretFile } from '../contract/secret-file.ts';

/**
 * Everything secret that the AWS platform is told, by the name of its Terraform variable. Made in a folder, once; what
 * is there already stays.
 */
export async function loadOrCreatePlatformKeys(folder: string) {
  const api = await loadOrCreateApiKeyTexts(folder);
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
    retiredReceiptKeys: api.otherReceiptKeys,
  };
}

/** Lines for a POSIX shell that set the variables; nothing in the values needs more than quotes. */
export function asShell(keys: Awaited<ReturnType<typeof loadOrCreatePlatformKeys>>): string {
  const line = (name: string, value: string) => `export ${name}='${value}'`;
  return [
    ...Object.entries(keys.variables).map(([name, value]) => line(`TF_VAR_${name}`, value)),
    line('EBB_RETIRED_RECEIPT_KEYS', keys.retiredReceiptKeys),
  ].join('\n');
}
