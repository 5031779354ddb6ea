import { createHash, generateKeyPairSync } from 'node:crypto';

const algorithm = 'ssh-ed25519';

export interface NewKey {
  /** The private half as its seed of 32 bytes (RFC 8032, section 5.1.5); whoever takes it wipes it. */
  seed: Buffer;
  /** One line in OpenSSH format with the comment. */
  publicKey: string;
  /** `SHA256:…` as `ssh-keygen -l` prints it. */
  fingerprint: string;
}

/** Makes an Ed25519 key pair. */
export function createKey(comment: string): NewKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { format: 'der', type: 'pkcs8' },
    publicKeyEncoding: { format: 'der', type: 'spki' },
  });
  // Both encodings end with the 32 bytes of the key (RFC 8410, sections 4 and 7).
  const seed = Buffer.from(privateKey.subarray(-32));
  privateKey.fill(0);
  const blob = Buffer.concat([field(Buffer.from(algorithm)), field(publicKey.subarray(-32))]);
  return {
    seed,
    publicKey: `${algorithm} ${blob.toString('base64')} ${comment}`,
    fingerprint: `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`,
  };
}

/** https://www.rfc-editor.org/rfc/rfc4251#section-5 */
function field(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
