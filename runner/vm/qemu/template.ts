import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type FileHandle, open, rm, statfs } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { VmTemplate } from '../../../contract/vm.ts';
import type { Image } from '../../image/build-image.ts';
import type { QemuMachine } from './arguments.ts';
import { readConsole } from './console.ts';
import { whenAsked } from './identity-port.ts';
import { openMonitor } from './qmp.ts';
import { type QemuProcess, spawnQemu } from './spawn-qemu.ts';
import { createVmFolder, writeOwner } from './vm-folder.ts';

/** The machines that can go on from one template. */
export interface TemplateKind extends Pick<QemuMachine, 'accelerator' | 'memoryMib' | 'cpus'> {
  image: Image;
}

/** All memory of a machine that has no identity yet. It is in no file with a name: it goes with the runner's process. */
export interface Template extends VmTemplate {
  bytes: number;
  /** The memory, to be read from its beginning by one machine; the caller closes it. */
  open(): Promise<FileHandle>;
  /** Gives the room back, once no machine reads it any more. */
  close(): Promise<void>;
}

const tmpfsMagic = 0x01021994;
// Room that has to be left for the VMs themselves: their images pass through the same folder.
const roomForVmsMib = 512;
const mib = 1024 * 1024;

/**
 * Boots a machine up to where its identity would come, saves its memory, and ends it. It has no key, no seed of its own
 * and no network. `id` names its folder below `runtimeDir` meanwhile. Throws when it does not get that far.
 */
export async function makeTemplate(options: {
  kind: TemplateKind;
  runtimeDir: string;
  id: string;
  signal: AbortSignal;
}): Promise<Template> {
  const { kind, runtimeDir, id, signal } = options;
  const folder = await createVmFolder(runtimeDir, id);
  const memory = await openWithoutName(folder, kind.memoryMib).catch(async (error) => {
    await rm(folder, { recursive: true, force: true });
    throw error;
  });
  try {
    const { sha256, bytes } = await bootAndSave(kind, folder, memory, signal);
    return {
      sha256,
      bytes,
      made_at: new Date().toISOString(),
      // Opened anew for each machine, because a copy of the descriptor would share its place in the file.
      open: () => open(`/proc/self/fd/${memory.fd}`, 'r'),
      close: () => memory.close(),
    };
  } catch (error) {
    await memory.close();
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function openWithoutName(folder: string, memoryMib: number): Promise<FileHandle> {
  const { type, bavail, bsize } = await statfs(folder);
  if (type !== tmpfsMagic)
    throw new Error(`${folder} is on no tmpfs, where a template's memory would be on a disk.`);
  const freeMib = Math.floor((bavail * bsize) / mib);
  const neededMib = memoryMib + roomForVmsMib;
  if (freeMib < neededMib)
    throw new Error(
      `${folder} has ${freeMib} MiB left, and a template may need ${neededMib}: make the tmpfs larger.`,
    );
  const path = join(folder, 'memory');
  const memory = await open(path, 'wx+', 0o600);
  await rm(path);
  return memory;
}

async function bootAndSave(kind: TemplateKind, folder: string, memory: FileHandle, signal: AbortSignal) {
  const { image, accelerator, memoryMib, cpus } = kind;
  const commandLine = `console=ttyS0 ${image.commandLine} ebb.identity=template`;
  const { kernelPath, initramfsPath: initrdPath } = image;
  const qemu = await spawnQemu(
    { accelerator, memoryMib, cpus, start: { kernelPath, initrdPath, commandLine, monitored: true } },
    (pid) => writeOwner(folder, { qemu: pid }),
    ['pipe', 'pipe'],
  );
  const [port, monitor] = qemu.stdio.slice(3) as unknown as [Socket, Socket];
  // A machine that is gone tells it by its exit.
  for (const socket of [port, monitor]) socket.on('error', () => {});
  const stopped = whenStopped(qemu, signal);
  try {
    await Promise.race([new Promise<void>((resolve) => whenAsked(port, 'template', resolve)), stopped]);
    return await Promise.race([save(monitor, folder, memory), stopped]);
  } finally {
    qemu.kill('SIGKILL');
    await stopped.catch(() => {});
    port.destroy();
    monitor.destroy();
  }
}

/** Rejects when QEMU is gone, which it is soon after `signal` aborts, with the end of what it said. */
async function whenStopped(qemu: QemuProcess, signal: AbortSignal): Promise<never> {
  const console = readConsole(qemu.stdout);
  const complaints = readConsole(qemu.stderr);
  const end = () => qemu.kill('SIGKILL');
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  await once(qemu, 'close');
  signal.removeEventListener('abort', end);
  signal.throwIfAborted();
  throw new Error(`It ended while it booted. ${complaints.tail()}${console.tail()}`.trim());
}

/** QEMU sends its memory while the machine runs: so what goes on from it runs at once, without being told. */
async function save(socket: Socket, folder: string, memory: FileHandle) {
  const monitor = await openMonitor(socket);
  const path = join(folder, 'migration');
  const server = createServer().listen(path);
  try {
    await once(server, 'listening');
    const connection = once(server, 'connection');
    // It waits for nobody: neither for the line nor for a user who would notice a pause.
    await monitor.execute('migrate-set-parameters', { 'max-bandwidth': 2 ** 40, 'downtime-limit': 2_000 });
    await monitor.execute('migrate', { uri: `unix:${path}` });
    const [saved] = (await connection) as [Socket];
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of saved as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
      await memory.appendFile(chunk);
    }
    const { status } = (await monitor.execute('query-migrate')) as { status?: string };
    if (status !== 'completed') throw new Error(`QEMU did not save its memory: ${status}.`);
    return { sha256: hash.digest('hex'), bytes };
  } finally {
    server.close();
  }
}
