import type { JsonWebKey } from 'node:crypto';
import { DecryptCommand, KMSClient } from '@aws-sdk/client-kms';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { parseKeyEncryptionKey } from './key-encryption-key.ts';
import { CustodyError } from './open.ts';

/**
 * Has AWS KMS decrypt the key-encryption key. The context that it was encrypted with names the deployment, so that the
 * text of one installation is of no use in another. Throws CustodyError with what to look at.
 *
 * @param options.ciphertext what `aws kms encrypt` gave, Base64
 * @param options.endpoint only for emulators
 * @see https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html
 */
export async function decryptKeyEncryptionKey(options: {
  ciphertext: string;
  deployment: string;
  region: string;
  endpoint?: string;
  signal: AbortSignal;
}): Promise<JsonWebKey> {
  const { ciphertext, deployment, region, endpoint, signal } = options;
  const client = new KMSClient({
    region,
    ...(endpoint ? { endpoint } : {}),
    maxAttempts: 6,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: 5_000,
      requestTimeout: 10_000,
      throwOnRequestTimeout: true,
    }),
  });
  const command = new DecryptCommand({
    CiphertextBlob: Buffer.from(ciphertext, 'base64'),
    EncryptionContext: { 'ebb:deployment': deployment },
  });
  try {
    const { Plaintext = new Uint8Array() } = await client.send(command, { abortSignal: signal });
    const text = Buffer.from(Plaintext);
    Plaintext.fill(0);
    const key = parseKeyEncryptionKey(text.toString());
    text.fill(0);
    if (!key)
      throw new CustodyError('What AWS KMS decrypted of EBB_KMS_CIPHERTEXT is no private EC P-256 JWK.');
    return key;
  } catch (cause) {
    if (cause instanceof CustodyError) throw cause;
    const { name } = cause as Error;
    throw new CustodyError(
      `AWS KMS did not decrypt EBB_KMS_CIPHERTEXT (${name}). Is it of this region and of EBB_EC2_DEPLOYMENT=${deployment}, and may this role decrypt?`,
      { cause },
    );
  } finally {
    client.destroy();
  }
}
