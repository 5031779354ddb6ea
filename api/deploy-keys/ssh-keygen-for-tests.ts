import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A key pair of OpenSSH's own making: the PEM of its private half, and its fingerprint. */
export async function sshKeygen(
  type: 'ed25519' | 'rsa' | 'ecdsa',
  passphrase = '',
): Promise<{ privateKey: string; publicKey: string; fingerprint: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-ssh-keygen-'));
  try {
    const file = join(folder, 'key');
    const run = promisify(execFile);
    await run('ssh-keygen', ['-q', '-t', type, '-N', passphrase, '-C', 'by hand', '-f', file]);
    const { stdout } = await run('ssh-keygen', ['-l', '-f', `${file}.pub`]);
    const [privateKey, publicKey] = await Promise.all([
      readFile(file, 'utf8'),
      readFile(`${file}.pub`, 'utf8'),
    ]);
    return { privateKey, publicKey, fingerprint: stdout.split(' ')[1] ?? '' };
  } finally {
    await rm(folder, { recursive: true });
  }
}
