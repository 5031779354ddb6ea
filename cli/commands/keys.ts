import { join } from 'node:path';
import { Command } from 'commander';
import { loadOrCreateApiKeyTexts } from '../../api/signing/key-files.ts';
import { rotateReceiptKey } from '../../api/signing/rotate-receipt-key.ts';
import { loadOrCreateKeyFile, rotateKeyFile } from '../../runner/custody/key-file.ts';
import { asShell, loadOrCreatePlatformKeys } from '../platform-keys.ts';

interface KeysOptions {
  json?: true;
  platform?: true;
  keyEncryptionKey?: true;
  rotateReceiptKey?: true;
  rotateKeyEncryptionKey?: true;
}

const told = {
  prepared:
    'ebb: made the next receipt key. Restart each API process, so that all publish it; five minutes later, which published keys may be cached, run this again. Where variables hold the keys, set them to what --json prints first.',
  rotated:
    'ebb: receipts are signed by the new key from now on; the old one stays published. Restart each API process within an hour. Where variables hold the keys, set them to what --json prints first.',
};

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
    .option(
      '--rotate-receipt-key',
      'have receipts signed by a new key: run it, restart each API process, run it again, restart them again',
    )
    .option('--rotate-key-encryption-key', 'make a new pair; the one of before stays beside it')
    .option('--platform', 'make all that the AWS platform needs, and print it for a shell: eval "$(…)"')
    .action(async (folder: string, options: KeysOptions) => {
      if (options.rotateReceiptKey) {
        console.log(told[await rotateReceiptKey(folder, new Date())]);
        return;
      }
      if (options.platform) {
        console.log(asShell(await loadOrCreatePlatformKeys(folder)));
        return;
      }
      const path = join(folder, 'key-encryption-key.json');
      if (options.rotateKeyEncryptionKey) {
        const { older } = await rotateKeyFile(path);
        console.log(
          [
            `ebb: the new key is in ${path}, those of before in ${older.join(', ')}.`,
            `1. Runners first: EBB_KEY_ENCRYPTION_KEY_FILE=${path} and EBB_OLDER_KEYS=${older.join(',')}, and start them again.`,
            `2. Then the API: EBB_KEY_ENCRYPTION_KEY_FILE=${path}.pub, and start it again.`,
            '3. When ebb key-encryption says so, take the older key away from runners.',
          ].join('\n'),
        );
        return;
      }
      if (options.keyEncryptionKey) {
        await loadOrCreateKeyFile(path);
        console.log(`ebb: runners get ${path} (EBB_KEY_ENCRYPTION_KEY_FILE), the API ${path}.pub`);
        return;
      }
      const keys = await loadOrCreateApiKeyTexts(folder);
      const variables = {
        EBB_TOKEN_KEY: keys.tokenKey,
        EBB_RECEIPT_KEY: keys.receiptKey,
        ...(keys.otherReceiptKeys ? { EBB_RETIRED_RECEIPT_KEYS: keys.otherReceiptKeys } : {}),
        EBB_HOOK_MASTER_KEY: keys.hookMasterKey,
      };
      console.log(
        options.json
          ? JSON.stringify(variables)
          : `ebb: the keys are in ${folder}. Set EBB_KEYS_DIR to it, or ${Object.keys(variables).join(', ')} to what --json prints.`,
      );
    });
}
