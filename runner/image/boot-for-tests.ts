import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { makeSshKeyPair } from '../vm/openssh-private-key.ts';
import type { Image } from './build-image.ts';
import { cpioEntry, cpioTrailer, fileType } from './cpio.ts';

export interface BootedMachine {
  port: number;
  /** Logs root and checkout in, in OpenSSH's private key format. */
  privateKey: Buffer;
  /** The machine's host key, a raw blob. */
  hostKey: Buffer;
  /** Resolves when the console shows the line; rejects when the machine ends without it. */
  seen(line: string): Promise<void>;
  /** Resolves when the machine is off. */
  off: Promise<unknown>;
  close(): Promise<void>;
}

const hostKey = makeSshKeyPair();
const userKey = makeSshKeyPair();

/** Boots an image once on an emulated CPU, for tests: whether the machine can do KVM does not matter to them. */
export async function boot(
  image: Image,
  options: { deadmanSeconds: number; identity: boolean },
): Promise<BootedMachine> {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-boot-'));
  const initrd = join(folder, 'initrd');
  await writeInitrd(initrd, image, options.identity);
  const port = await freePort();
  const qemu = spawn('qemu-system-x86_64', qemuArguments(image, initrd, port, options.deadmanSeconds), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const off = once(qemu, 'close');
  const { seen, said } = readConsole(qemu);
  return {
    port,
    privateKey: userKey.privateKey,
    hostKey: hostKey.publicBlob,
    seen: (line) =>
      Promise.race([
        seen(line),
        off.then(() => Promise.reject(new Error(`The machine ended and said: ${said.join('\n')}`))),
      ]),
    off,
    async close() {
      qemu.kill('SIGKILL');
      await off;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function writeInitrd(path: string, image: Image, withIdentity: boolean): Promise<void> {
  const file = await open(path, 'w');
  try {
    if (withIdentity) await file.writeFile(identityArchive());
    await file.writeFile(await readFile(image.initramfsPath));
  } finally {
    await file.close();
  }
}

function identityArchive(): Buffer {
  const member = (name: string, mode: number, inode: number, data: string | Buffer) =>
    cpioEntry({
      path: `ebb-identity/${name}`,
      mode: fileType.regular | mode,
      inode,
      data: Buffer.from(data),
    });
  return Buffer.concat([
    cpioEntry({ path: 'ebb-identity', mode: fileType.folder | 0o700, inode: 1 }),
    member('ssh_host_ed25519_key', 0o600, 2, hostKey.privateKey),
    member('ssh_host_ed25519_key.pub', 0o644, 3, `${hostKey.publicLine}\n`),
    member('authorized_keys', 0o600, 4, `${userKey.publicLine}\n`),
    cpioTrailer(),
  ]);
}

function qemuArguments(image: Image, initrd: string, port: number, deadmanSeconds: number): string[] {
  const commandLine = `console=ttyS0 ${image.commandLine} ebb.deadman=${deadmanSeconds}`;
  return [
    ...['-accel', 'tcg,thread=multi', '-cpu', 'max', '-M', 'q35', '-m', '1024'],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-serial', 'stdio'],
    ...['-kernel', image.kernelPath, '-initrd', initrd, '-append', commandLine],
    ...['-netdev', `user,id=n0,hostfwd=tcp:127.0.0.1:${port}-:22`],
    ...['-device', 'virtio-net-pci,romfile=,netdev=n0', '-device', 'virtio-rng-pci'],
  ];
}

function readConsole(qemu: ChildProcess): { seen(line: string): Promise<void>; said: string[] } {
  const said: string[] = [];
  const waiting = new Map<string, () => void>();
  if (qemu.stdout === null) throw new TypeError('The console is not piped.');
  createInterface({ input: qemu.stdout }).on('line', (line) => {
    said.push(line);
    waiting.get(line)?.();
  });
  const seen = (line: string) =>
    new Promise<void>((resolve) => {
      if (said.includes(line)) resolve();
      else waiting.set(line, resolve);
    });
  return { seen, said };
}

/** QEMU cannot tell which port it was given, so one is asked for and given back just before. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
