import { createPrivateKey, sign } from 'node:crypto';

// RFC 8410: what stands before the 32-byte seed in the PKCS #8 form of an Ed25519 private key.
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Signs with an opened deploy key until it is closed; nothing of the key can be read from it. */
export interface DeployKeySigner {
  sign(data: Buffer): Buffer;
  /** Wipes the key. Signing afterwards throws. */
  close(): void;
}

/** Takes over the 32-byte seed and wipes it. */
export function createDeployKeySigner(seed: Buffer): DeployKeySigner {
  if (seed.length !== 32) throw new Error(`An Ed25519 seed has 32 bytes, not ${seed.length}.`);
  const key = Buffer.concat([pkcs8Prefix, seed]);
  seed.fill(0);
  let open = true;
  return {
    sign(data) {
      if (!open) throw new Error('The deploy key is closed.');
      return sign(null, data, createPrivateKey({ key, format: 'der', type: 'pkcs8' }));
    },
    close() {
      open = false;
      key.fill(0);
    },
  };
}
