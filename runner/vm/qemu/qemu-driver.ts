import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Image } from '../../image/build-image.ts';
import { type Vm, type VmDriver, VmError, type VmExit, type VmLaunch } from '../driver.ts';
import { createIdentity, type VmIdentity } from '../identity.ts';
import { type Console, readConsole } from './console.ts';
import { probeKvm } from './probe-kvm.ts';
import { type QemuProcess, spawnQemu } from './spawn-qemu.ts';
import { createVmFolder, reapFolders, writeInitrd, writeOwner } from './vm-folder.ts';

export interface QemuDriverOptions {
  image: Image;
  /** Folder on a tmpfs: a VM's keys pass through it. */
  runtimeDir: string;
  /** Remembers whether KVM works. */
  cacheDir: string;
  /** How long a VM may take to listen; 90 s when absent. */
  bootTimeoutMs?: number;
}

// Where QEMU's user network shows the machine's own loopback to a guest.
const hostAddress = '10.0.2.2';
const portAttempts = 3;

/** VMs by QEMU on this machine: KVM where it works, else emulated; no disk in either case. */
export function createQemuDriver(options: QemuDriverOptions): VmDriver {
  const running = new Set<Vm>();
  let kvm: Promise<boolean> | undefined;
  return {
    name: 'qemu',
    async launch(launch) {
      kvm ??= probeKvm(options.image, options.cacheDir);
      const accelerator = (await kvm) ? 'kvm' : 'tcg';
      const vm = await launchOnFreePort(options, launch, accelerator);
      running.add(vm);
      void vm.exited.then(() => running.delete(vm));
      return vm;
    },
    reap: () => reapFolders(options.runtimeDir),
    async close() {
      await Promise.all([...running].map((vm) => vm.destroy()));
    },
  };
}

/** The port may be taken between asking for a free one and QEMU's using it. */
async function launchOnFreePort(
  options: QemuDriverOptions,
  launch: VmLaunch,
  accelerator: 'kvm' | 'tcg',
): Promise<Vm> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await launchVm(options, launch, accelerator);
    } catch (error) {
      const taken = error instanceof VmError && error.message.includes('Could not set up host forwarding');
      if (!taken || attempt === portAttempts) throw error;
    }
  }
}

async function launchVm(
  options: QemuDriverOptions,
  launch: VmLaunch,
  accelerator: 'kvm' | 'tcg',
): Promise<Vm> {
  const identity = createIdentity();
  const folder = await createVmFolder(options.runtimeDir, launch.id);
  let qemu: QemuProcess | undefined;
  try {
    const initrdPath = await writeInitrd(folder, identity.archive, options.image.initramfsPath);
    const port = await freePort();
    qemu = await spawnQemu({
      accelerator,
      memoryMib: launch.memoryMib,
      cpus: launch.cpus,
      kernelPath: options.image.kernelPath,
      commandLine: `console=ttyS0 ${options.image.commandLine} ebb.deadman=${launch.deadmanSeconds ?? 60}`,
      initrdPath,
      sshPort: port,
    });
    await writeOwner(folder, qemu.pid);
    const vm = describe({ launch, identity, qemu, port, folder });
    await whenReady(vm, options.bootTimeoutMs ?? 90_000, launch.signal);
    // QEMU has it in memory; the keys must not be in two places.
    await rm(initrdPath);
    return vm.vm;
  } catch (error) {
    qemu?.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
    throw error;
  } finally {
    identity.archive.fill(0);
  }
}

interface Launched {
  vm: Vm;
  console: Console;
  /** What QEMU itself complained about. */
  complaint(): string;
}

function describe(parts: {
  launch: VmLaunch;
  identity: VmIdentity;
  qemu: QemuProcess;
  port: number;
  folder: string;
}): Launched {
  const { launch, identity, qemu, port, folder } = parts;
  const console = readConsole(qemu.stdout);
  let complaint = '';
  qemu.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-2_000);
  });
  const exited = new Promise<VmExit>((resolve) => {
    qemu.once('close', (code, signal) => resolve({ code, signal }));
  });
  const destroy = async () => {
    qemu.kill('SIGKILL');
    await exited;
    identity.clientKey.fill(0);
    await rm(folder, { recursive: true, force: true });
  };
  const vm: Vm = {
    id: launch.id,
    driver: 'qemu',
    host: '127.0.0.1',
    port,
    hostKey: identity.hostKey,
    clientKey: identity.clientKey,
    hostAddress,
    memoryMib: launch.memoryMib,
    cpus: launch.cpus,
    exited,
    consoleTail: () => console.tail(),
    destroy,
  };
  return { vm, console, complaint: () => complaint.trim() };
}

/** The image says `ebb: ready` when its SSH server listens; connecting before that can stall for seconds. */
async function whenReady(
  { vm, console, complaint }: Launched,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const timeUp = AbortSignal.timeout(timeoutMs);
  const stopped = new Promise<never>((_, reject) => {
    const stop = () =>
      reject(
        signal.aborted
          ? new VmError('aborted', `The boot of ${vm.id} was given up.`, { cause: signal.reason })
          : new VmError(
              'boot_timeout',
              `${vm.id} did not come up within ${timeoutMs / 1000} s. ${lastWords(vm)}`,
            ),
      );
    for (const each of [signal, timeUp]) each.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  });
  const ended = vm.exited.then(() => {
    throw new VmError('boot_failed', `${vm.id} ended while it booted. ${complaint()} ${lastWords(vm)}`);
  });
  await Promise.race([console.saw('ebb: ready'), ended, stopped]);
  ended.catch(() => {});
  stopped.catch(() => {});
}

function lastWords(vm: Vm): string {
  const said = vm.consoleTail().trim().split('\n').slice(-15).join('\n');
  return said === '' ? 'It printed nothing.' : `Its console ended with:\n${said}`;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('No free port on loopback.');
  return address.port;
}
