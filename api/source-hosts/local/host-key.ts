import { join } from 'node:path';
import { promisify } from 'node:util';
import ssh2 from 'ssh2';
import { readFileIfThere, writeFileAtomically } from './atomic-file.ts';

export interface HostKey {
  /** In OpenSSH's private key format. */
  privateKey: string;
  /** OpenSSH line without a comment. */
  publicKey: string;
}

/** The ed25519 host key of the folder, made on first use (mode 0600). Whoever pinned it must see it again. */
export async function openHostKey(root: string): Promise<HostKey> {
  const file = join(root, 'host_key');
  const privateKey = (await readFileIfThere(file)) ?? (await makeHostKey(file));
  const key = ssh2.utils.parseKey(privateKey);
  if (key instanceof Error || Array.isArray(key) || key.type !== 'ssh-ed25519') {
    throw new Error(
      `${file} is no ed25519 private key. Restore it, or remove it to get a new one and pin that anew.`,
    );
  }
  return { privateKey, publicKey: `${key.type} ${key.getPublicSSH().toString('base64')}` };
}

async function makeHostKey(file: string): Promise<string> {
  const pair = await promisify<'ed25519', { private: string }>(ssh2.utils.generateKeyPair)('ed25519');
  await writeFileAtomically(file, pair.private);
  return pair.private;
}
