import type { RunnerConfiguration } from '../configuration.ts';
import type { KeyEncryptionKey } from './key-encryption-key.ts';
import { createFileKey, loadOrCreateKeyFile, readKeyFile } from './key-file.ts';
import { createKeyring, type Keyring } from './keyring.ts';

type Settings = Pick<
  RunnerConfiguration,
  'EBB_KEY_ENCRYPTION_KEY_FILE' | 'EBB_KMS_KEY' | 'EBB_KMS_ENDPOINT' | 'EBB_DEPLOYMENT' | 'EBB_OLDER_KEYS'
>;

/** The keys that a runner was configured with. A file for the current one is made when it is not there, older ones never. */
export async function openKeyring(settings: Settings): Promise<Keyring> {
  const { EBB_KMS_KEY: arn, EBB_KEY_ENCRYPTION_KEY_FILE: file = '' } = settings;
  const current = arn
    ? await openKmsKey(arn, settings)
    : createFileKey((await loadOrCreateKeyFile(file)).privateKey);
  const older = (settings.EBB_OLDER_KEYS ?? '').split(',').filter((name) => name !== '');
  return createKeyring(
    current,
    await Promise.all(
      older.map(async (name) =>
        name.startsWith('arn:')
          ? await openKmsKey(name, settings)
          : createFileKey((await readKeyFile(name)).privateKey),
      ),
    ),
  );
}

async function openKmsKey(arn: string, settings: Settings): Promise<KeyEncryptionKey> {
  // Loaded here only: the SDK costs a quarter of a second.
  const { createKmsKey } = await import('./kms-key.ts');
  return createKmsKey({ arn, deployment: settings.EBB_DEPLOYMENT, endpoint: settings.EBB_KMS_ENDPOINT });
}
