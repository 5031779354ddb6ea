import { createPrivateKey, sign } from 'node:crypto';
import type { OpenedSecret } from './opened-secret.ts';

// RFC 8410: what stands before the 32-byte seed in the PKCS #8 form of an Ed25519 private key.
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Signs with an opened deploy key until it is closed; nothing of the key can be read from it. */
export interface DeployKeySigner {
  sign(data: Buffer): Buffer;
  /** Wipes the key. Signing afterwards throws. */
  close(): void;
}

/** Takes over the opened seed, 32 bytes (RFC 8032, section 5.1.5). Throws, and wipes it, when it is none. */
export function createDeployKeySigner(seed: OpenedSecret): DeployKeySigner {
  const length = seed.use((bytes) => bytes.length);
  if (length !== 32) {
    seed.wipe();
    throw new Error(`An Ed25519 seed has 32 bytes, not ${length}.`);
  }
  return { sign: (data) => seed.use((bytes) => signWith(bytes, data)), close: () => seed.wipe() };
}

function signWith(seed: Buffer, data: Buffer): Buffer {
  const key = Buffer.concat([pkcs8Prefix, seed]);
  try {
    return sign(null, data, createPrivateKey({ key, format: 'der', type: 'pkcs8' }));
  } finally {
    key.fill(0);
  }
}
