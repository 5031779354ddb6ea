import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';

const algorithm = 'ssh-ed25519';
/** What stands before the seed in PKCS #8: https://www.rfc-editor.org/rfc/rfc8410#section-7 */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

export interface Ed25519Key {
  /** The private half as its seed of 32 bytes (RFC 8032, section 5.1.5); whoever takes it wipes it. */
  seed: Buffer;
  /** One line in OpenSSH format with the comment. */
  publicKey: string;
  /** `SHA256:…` as `ssh-keygen -l` prints it. */
  fingerprint: string;
}

/** Makes an Ed25519 key pair. */
export function createKey(comment: string): Ed25519Key {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { format: 'der', type: 'pkcs8' },
    publicKeyEncoding: { format: 'der', type: 'spki' },
  });
  // Both encodings end with the 32 bytes of the key (RFC 8410, sections 4 and 7).
  const seed = Buffer.from(privateKey.subarray(-32));
  privateKey.fill(0);
  return { seed, ...publicHalf(publicKey.subarray(-32), comment) };
}

/** The key pair that a seed of 32 bytes stands for; takes the seed over. */
export function keyOfSeed(seed: Buffer, comment: string): Ed25519Key {
  const pkcs8 = Buffer.concat([pkcs8Prefix, seed]);
  try {
    const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
    const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
    return { seed, ...publicHalf(spki.subarray(-32), comment) };
  } finally {
    pkcs8.fill(0);
  }
}

function publicHalf(point: Buffer, comment: string) {
  const blob = Buffer.concat([field(Buffer.from(algorithm)), field(point)]);
  return {
    publicKey: `${algorithm} ${blob.toString('base64')} ${comment}`,
    fingerprint: `SHA256:${createHash('sha256')
      .update(blob)
      .digest('base64')
      .replace(/={1,2}$/, '')}`,
  };
}

/** https://www.rfc-editor.org/rfc/rfc4251#section-5 */
function field(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
