import { CompactEncrypt, compactDecrypt } from 'jose';
import type { Custody } from '../custody/custody.ts';
import { SourceHostError } from '../source-hosts/errors.ts';

/**
 * Seals a connection's token or private key with a key of its own. Unlike a project's secrets the API must be able to
 * open it: it speaks to the source host.
 */
export async function sealCredential(
  custody: Custody,
  connectionId: string,
  credential: string,
): Promise<string> {
  const key = custody.connectionKey(connectionId);
  const plaintext = Buffer.from(credential);
  try {
    return await new CompactEncrypt(plaintext)
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: connectionId })
      .encrypt(key);
  } finally {
    key.fill(0);
    plaintext.fill(0);
  }
}

/** Opens it; the caller wipes it. Throws `unauthorized` when it was sealed for another connection, by another key, or is not there. */
export async function openCredential(
  custody: Custody,
  connection: { connection_id: string; sealed_credential: string | null },
): Promise<Buffer> {
  const { connection_id: id, sealed_credential: sealed } = connection;
  if (sealed === null) throw new SourceHostError('unauthorized', `The connection ${id} has no credential.`);
  const key = custody.connectionKey(id);
  try {
    return Buffer.from((await compactDecrypt(sealed, key)).plaintext);
  } catch {
    throw new SourceHostError(
      'unauthorized',
      `The credential of the connection ${id} cannot be opened. Was the API's master key changed? Send the credential again.`,
    );
  } finally {
    key.fill(0);
  }
}
