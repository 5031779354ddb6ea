import { join } from 'node:path';
import { Command } from 'commander';
import { loadOrCreateApiKeyTexts } from '../../api/signing/key-files.ts';
import { loadOrCreateKeyFile } from '../../runner/custody/key-file.ts';
import { asShell, loadOrCreatePlatformKeys } from '../platform-keys.ts';

/** `ebb keys`: makes what `ebb api` signs and derives with, for machines whose disk does not last. */
export function keysCommand(): Command {
  return new Command('keys')
    .description("Make the API's own keys in a folder, once; what is there already stays.")
    .argument('<folder>', 'folder of mode 0700; keep it as a backup')
    .option('--json', 'print the variables that hold the keys, to pipe them where the API runs')
    .option(
      '--key-encryption-key',
      'make the pair that wraps projects’ keys: the private half is for runners alone',
    )
    .option('--platform', 'make all that the AWS platform needs, and print it for a shell: eval "$(…)"')
    .action(async (folder: string, options: { json?: true; platform?: true; keyEncryptionKey?: true }) => {
      if (options.platform) {
        console.log(asShell(await loadOrCreatePlatformKeys(folder)));
        return;
      }
      if (options.keyEncryptionKey) {
        const path = join(folder, 'key-encryption-key.json');
        await loadOrCreateKeyFile(path);
        console.log(`ebb: runners get ${path} (EBB_KEY_ENCRYPTION_KEY_FILE), the API ${path}.pub`);
        return;
      }
      const keys = await loadOrCreateApiKeyTexts(folder);
      const variables = {
        EBB_TOKEN_KEY: keys.tokenKey,
        EBB_RECEIPT_KEY: keys.receiptKey,
        EBB_HOOK_MASTER_KEY: keys.hookMasterKey,
      };
      console.log(
        options.json
          ? JSON.stringify(variables)
          : `ebb: the keys are in ${folder}. Set EBB_KEYS_DIR to it, or ${Object.keys(variables).join(', ')} to what --json prints.`,
      );
    });
}
