import type { KeyWrapper } from '../../contract/custody/key-wrapper.ts';
import type { OpenedSecret } from './opened-secret.ts';

/** A key-encryption key as runners have it: it wraps projects' private keys, and unwraps what it wrapped. */
export interface KeyEncryptionKey extends KeyWrapper {
  /**
   * The private key that was wrapped for this very project; the caller wipes it. Throws CustodyError.
   *
   * @param payload a wrapped key without the id of what wrapped it
   */
  unwrap(payload: string, projectId: string, signal?: AbortSignal): Promise<OpenedSecret>;
}
