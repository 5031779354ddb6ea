import { CustodyError } from '../../contract/custody/custody-error.ts';
import { parseWrappedKey } from '../../contract/custody/key-wrapper.ts';
import type { KeyEncryptionKey } from './key-encryption-key.ts';
import type { OpenedSecret } from './opened-secret.ts';

/** The key-encryption keys of a runner, as it was configured: what a text says of itself chooses among these alone. */
export interface Keyring {
  /** Wraps; older ones only unwrap what they wrapped before a rotation. */
  readonly current: KeyEncryptionKey;
  /** A project's private key; the caller wipes it. Throws CustodyError. */
  unwrap(wrapped: string, projectId: string, signal?: AbortSignal): Promise<OpenedSecret>;
}

export function createKeyring(current: KeyEncryptionKey, older: readonly KeyEncryptionKey[] = []): Keyring {
  const keys = [current, ...older];
  return {
    current,
    async unwrap(wrapped, projectId, signal) {
      const { id, payload } = parseWrappedKey(wrapped);
      if (id === undefined) return await unwrapUnnamed(keys, payload, projectId);
      const key = keys.find((candidate) => candidate.id === id);
      if (key) return await key.unwrap(payload, projectId, signal);
      throw new CustodyError(
        'wrong_key',
        `The key of ${projectId} was wrapped by ${id.slice(0, 200)}, which this runner does not have. Name it in EBB_OLDER_KEYS.`,
      );
    },
  };
}

/** Before keys had names only those of files wrapped; which of them, the text does not say. */
async function unwrapUnnamed(
  keys: readonly KeyEncryptionKey[],
  payload: string,
  projectId: string,
): Promise<OpenedSecret> {
  let failure: unknown;
  for (const key of keys.filter(({ id }) => id.startsWith('file:'))) {
    try {
      return await key.unwrap(payload, projectId);
    } catch (error) {
      failure = error;
    }
  }
  throw (
    failure ??
    new CustodyError(
      'wrong_key',
      `The key of ${projectId} was wrapped by a file's key, and this runner has none.`,
    )
  );
}
