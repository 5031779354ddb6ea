import { WireReader, wireString } from './wire.ts';

/**
 * The raw blob of a public key in OpenSSH's one-line format, such as `ssh-ed25519 AAAA… comment`.
 * Throws a TypeError when the line is none.
 */
export function publicKeyBlob(line: string): Buffer {
  const [type = '', base64 = ''] = line.trim().split(/\s+/);
  const blob = Buffer.from(base64, 'base64');
  if (blob.length < 8 || !blob.subarray(0, 4 + type.length).equals(wireString(type))) {
    throw new TypeError(
      'An SSH public key must be one line in OpenSSH format, such as "ssh-ed25519 AAAA…"; this one is not.',
    );
  }
  return blob;
}

/** The opposite of {@link publicKeyBlob}, without a comment. */
export function publicKeyLine(blob: Buffer): string {
  return `${new WireReader(blob).text()} ${blob.toString('base64')}`;
}

/** The raw blob of an ed25519 public key of 32 bytes. */
export function ed25519Blob(publicKey: Buffer): Buffer {
  return Buffer.concat([wireString('ssh-ed25519'), wireString(publicKey)]);
}
