import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { publicKeyBlob } from './public-key-line.ts';

const run = promisify(execFile);
const sshd = '/usr/sbin/sshd';

export interface LoopbackSshd {
  port: number;
  /** The user that may log in: the one who runs this. */
  user: string;
  /** Raw blob of the host key. */
  hostKey: Buffer;
  /** The same as a line for `known_hosts`. */
  knownHost: string;
  close(): Promise<void>;
}

/**
 * A real OpenSSH server on loopback for tests, on a port that the kernel chooses: Node accepts the connections and
 * hands each to an `sshd -i` of its own. `authorizedKeys` are lines in OpenSSH's format.
 */
export async function startLoopbackSshd(options: {
  authorizedKeys: string[];
  hostKeyType?: 'ed25519' | 'rsa' | 'ecdsa';
}): Promise<LoopbackSshd> {
  if (!existsSync(sshd))
    throw new Error(`${sshd} is missing. Install OpenSSH's server (Debian: openssh-server).`);
  const folder = await mkdtemp(join(tmpdir(), 'ebb-sshd-'));
  const hostKeyLine = await writeConfiguration(folder, options);
  const children = new Set<ChildProcess>();
  // Paused, so that not a byte is read here that belongs to sshd.
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    const child = spawn(sshd, ['-i', '-e', '-f', join(folder, 'sshd_config')], {
      stdio: [socket, socket, 'ignore'],
    });
    children.add(child);
    child.once('exit', () => children.delete(child));
    socket.on('error', () => {});
    child.once('spawn', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    user: userInfo().username,
    hostKey: publicKeyBlob(hostKeyLine),
    knownHost: `[127.0.0.1]:${port} ${hostKeyLine}`,
    async close() {
      server.close();
      const exits = [...children].map((child) => new Promise((resolve) => child.once('exit', resolve)));
      for (const child of children) child.kill();
      await Promise.all(exits);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Resolves to the host's public key line. */
async function writeConfiguration(
  folder: string,
  { authorizedKeys, hostKeyType = 'ed25519' }: { authorizedKeys: string[]; hostKeyType?: string },
): Promise<string> {
  const hostKey = join(folder, 'host_key');
  await run('ssh-keygen', ['-q', '-t', hostKeyType, '-N', '', '-C', '', '-f', hostKey]);
  await writeFile(join(folder, 'authorized_keys'), authorizedKeys.map((line) => `${line}\n`).join(''), {
    mode: 0o600,
  });
  await writeFile(
    join(folder, 'sshd_config'),
    `HostKey ${hostKey}
AuthorizedKeysFile ${join(folder, 'authorized_keys')}
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowAgentForwarding yes
PrintMotd no
`,
  );
  // Only root's sshd changes its root there, and it insists on the folder.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  return (await readFile(`${hostKey}.pub`, 'utf8')).trim();
}
