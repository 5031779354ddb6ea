import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { ed25519Blob, publicKeyLine } from '../ssh/public-key-line.ts';
import { wireString } from '../ssh/wire.ts';

export interface SshKeyPair {
  /** Raw blob of the public key. */
  publicBlob: Buffer;
  /** The same as a line, without a comment. */
  publicLine: string;
  /** OpenSSH's private key format, no passphrase. Whoever asked for it wipes it. */
  privateKey: Buffer;
}

const blockBytes = 8;

/**
 * Makes an ed25519 key in OpenSSH's format. (ssh2 can make some too, but about one in 200 of its is malformed.)
 *
 * @see https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key
 */
export function makeSshKeyPair(): SshKeyPair {
  const pair = generateKeyPairSync('ed25519', {
    publicKeyEncoding: { format: 'der', type: 'spki' },
    privateKeyEncoding: { format: 'der', type: 'pkcs8' },
  });
  // RFC 8410: in both encodings the key itself is the last 32 bytes.
  const publicKey = pair.publicKey.subarray(-32);
  const publicBlob = ed25519Blob(publicKey);
  const secret = secretSection(pair.privateKey.subarray(-32), publicKey);
  const file = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    ...[wireString('none'), wireString('none'), wireString('')],
    Buffer.from([0, 0, 0, 1]),
    ...[wireString(publicBlob), wireString(secret)],
  ]);
  const base64 = file.toString('base64').replace(/.{70}/g, '$&\n');
  for (const used of [pair.privateKey, secret, file]) used.fill(0);
  const privateKey = Buffer.from(
    `-----BEGIN OPENSSH PRIVATE KEY-----\n${base64}\n-----END OPENSSH PRIVATE KEY-----\n`,
  );
  return { publicBlob, publicLine: publicKeyLine(publicBlob), privateKey };
}

function secretSection(seed: Buffer, publicKey: Buffer): Buffer {
  const check = randomBytes(4);
  const unpadded = Buffer.concat([
    ...[check, check],
    ...[wireString('ssh-ed25519'), wireString(publicKey), wireString(Buffer.concat([seed, publicKey]))],
    wireString(''),
  ]);
  const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7]).subarray(0, -unpadded.length & (blockBytes - 1));
  const padded = Buffer.concat([unpadded, padding]);
  unpadded.fill(0);
  return padded;
}
