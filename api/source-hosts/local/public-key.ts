import ssh2 from 'ssh2';

/**
 * The raw blob, in base64, of a public key line in OpenSSH format; that is what keys are compared by. Undefined when
 * the line is no public key.
 */
export function keyBlob(line: string): string | undefined {
  if (/[\r\n]/.test(line.trim())) return undefined;
  const key = ssh2.utils.parseKey(line.trim());
  if (key instanceof Error || Array.isArray(key) || key.isPrivateKey()) return undefined;
  return key.getPublicSSH().toString('base64');
}

/** Parses a raw blob as it came over the wire. */
export function parseBlob(blob: Buffer): ssh2.ParsedKey | undefined {
  const length = blob.length >= 4 ? blob.readUInt32BE() : 0;
  const type = blob.subarray(4, 4 + length).toString('latin1');
  const key = ssh2.utils.parseKey(`${type} ${blob.toString('base64')}`);
  return key instanceof Error || Array.isArray(key) ? undefined : key;
}
