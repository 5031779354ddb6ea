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
  const key = parseHostKey(privateKey);
  if (!key) {
    throw new Error(
      `${file} is no ed25519 private key. Restore it, or remove it to get a new one and pin that anew.`,
    );
  }
  return { privateKey, publicKey: `${key.type} ${key.getPublicSSH().toString('base64')}` };
}

async function makeHostKey(file: string): Promise<string> {
  const privateKey = await makeUsableKey();
  await writeFileAtomically(file, privateKey);
  return privateKey;
}

/** About one in 200 of the keys that ssh2 makes is malformed: it drops a zero byte at the start. */
async function makeUsableKey(): Promise<string> {
  for (;;) {
    const pair = await promisify<'ed25519', { private: string }>(ssh2.utils.generateKeyPair)('ed25519');
    if (parseHostKey(pair.private)) return pair.private;
  }
}

/** Undefined when it is no ed25519 private key, or one whose halves do not belong together. */
function parseHostKey(text: string): ssh2.ParsedKey | undefined {
  const key = ssh2.utils.parseKey(text);
  if (key instanceof Error || Array.isArray(key) || key.type !== 'ssh-ed25519') return undefined;
  const sample = Buffer.from('ebb');
  const signature = key.sign(sample);
  return !(signature instanceof Error) && key.verify(sample, signature) === true ? key : undefined;
}
