import { createFileKeyWrapper, type KeyWrapper } from '../../contract/custody/key-wrapper.ts';
import type { ApiConfiguration } from '../configuration.ts';

/** What the API wraps projects' keys with, as it was configured. */
export async function openKeyWrapper(
  configuration: Pick<
    ApiConfiguration,
    'EBB_KEY_ENCRYPTION_KEY' | 'EBB_KMS_KEY' | 'EBB_KMS_ENDPOINT' | 'EBB_DEPLOYMENT'
  >,
): Promise<KeyWrapper> {
  const { EBB_KMS_KEY: arn, EBB_KEY_ENCRYPTION_KEY: publicKey = '' } = configuration;
  if (!arn) return createFileKeyWrapper(JSON.parse(publicKey));
  // Loaded here only: the SDK costs a quarter of a second.
  const { createKmsKeyWrapper } = await import('../../contract/custody/kms.ts');
  const { EBB_DEPLOYMENT: deployment, EBB_KMS_ENDPOINT: endpoint } = configuration;
  return createKmsKeyWrapper({ arn, deployment, endpoint });
}
