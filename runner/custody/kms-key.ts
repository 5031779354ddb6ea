import { CustodyError } from '../../contract/custody/custody-error.ts';
import { createKmsKeyWrapper, type KmsKeyOptions, openKmsKey } from '../../contract/custody/kms.ts';
import type { KeyEncryptionKey } from './key-encryption-key.ts';
import { OpenedSecret } from './opened-secret.ts';

/** Has AWS KMS wrap and unwrap, each time with a call that CloudTrail shows. No process ever holds the key. */
export function createKmsKey(options: KmsKeyOptions): KeyEncryptionKey {
  const key = openKmsKey(options);
  return {
    ...createKmsKeyWrapper(options, key),
    async unwrap(payload, projectId, signal) {
      if (payload === '') throw new CustodyError('damaged', `The wrapped key of ${projectId} is cut off.`);
      return new OpenedSecret(await key.decrypt(Buffer.from(payload, 'base64url'), projectId, signal));
    },
  };
}
