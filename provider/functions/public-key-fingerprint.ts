import { createHash } from 'node:crypto';
import { FunctionFailure, type ProviderFunction } from '../plugin/provider.ts';

/** What `ssh-keygen -l` prints of a public key. */
export const publicKeyFingerprint: ProviderFunction = {
  summary: 'Fingerprint of a public SSH key',
  description:
    'Gives the SHA-256 fingerprint of a public key in OpenSSH format, `SHA256:…`, as `ssh-keygen -l` and source hosts show it.',
  parameters: [
    {
      name: 'public_key',
      type: 'string',
      description: 'The key: its type, its bytes in base64, and perhaps a comment.',
    },
  ],
  returns: 'string',
  call(line) {
    const [type = '', base64 = ''] = String(line).trim().split(/\s+/);
    const bytes = Buffer.from(base64, 'base64');
    // The bytes begin with the type again: https://www.rfc-editor.org/rfc/rfc4253#section-6.6
    const length = bytes.length > 4 ? bytes.readUInt32BE(0) : 0;
    if (type === '' || bytes.subarray(4, 4 + length).toString('latin1') !== type) {
      throw new FunctionFailure(
        'This is no public key in OpenSSH format: give a line such as "ssh-ed25519 AAAA…".',
        0,
      );
    }
    return `SHA256:${createHash('sha256')
      .update(bytes)
      .digest('base64')
      .replace(/={1,2}$/, '')}`;
  },
};
