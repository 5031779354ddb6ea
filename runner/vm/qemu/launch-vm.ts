import { rm } from 'node:fs/promises';
import type { VmImage } from '../../../contract/vm.ts';
import type { Image } from '../../image/build-image.ts';
import type { Vm, VmExit, VmLaunch } from '../driver.ts';
import { createIdentity, type VmIdentity } from '../identity.ts';
import { readConsole } from './console.ts';
import { freePort } from './free-port.ts';
import { dropInitrd, writeInitrd } from './initrd.ts';
import { observeProcess } from './observe-process.ts';
import { type QemuProcess, spawnQemu } from './spawn-qemu.ts';
import { createVmFolder, writeOwner } from './vm-folder.ts';
import { type BootingVm, whenReady } from './when-ready.ts';

export interface QemuLaunch extends VmLaunch {
  image: Image;
  /** Digests of the image's parts, which are being computed. */
  parts: Promise<VmImage>;
  runtimeDir: string;
  accelerator: 'kvm' | 'tcg';
  bootTimeoutMs: number;
}

// Where QEMU's user network shows the machine's own loopback to a guest.
const hostAddress = '10.0.2.2';
const defaultDeadmanSeconds = 60;
const complaintBytes = 2_000;

/** Boots one VM. When that fails, process, folder and keys are gone before it throws. */
export async function launchVm(launch: QemuLaunch): Promise<Vm> {
  const folder = await createVmFolder(launch.runtimeDir, launch.id);
  const identity = createIdentity();
  let booting: BootingVm | undefined;
  try {
    const initrdPath = await writeInitrd(folder, identity.archive, launch.image.initramfsPath);
    const port = await freePort();
    const qemu = await spawnQemu(
      {
        accelerator: launch.accelerator,
        memoryMib: launch.memoryMib,
        cpus: launch.cpus,
        kernelPath: launch.image.kernelPath,
        commandLine: commandLine(launch),
        initrdPath,
        sshPort: port,
      },
      (pid) => writeOwner(folder, pid),
    );
    booting = describe({ launch, identity, qemu, port, folder });
    await whenReady(booting, launch.bootTimeoutMs, launch.signal);
    await dropInitrd(initrdPath);
    return booting.vm;
  } catch (error) {
    await booting?.vm.destroy();
    identity.clientKey.fill(0);
    await rm(folder, { recursive: true, force: true });
    throw error;
  } finally {
    identity.archive.fill(0);
  }
}

function commandLine({ image, deadmanSeconds = defaultDeadmanSeconds }: QemuLaunch): string {
  return `console=ttyS0 ${image.commandLine} ebb.deadman=${deadmanSeconds}`;
}

function describe(parts: {
  launch: QemuLaunch;
  identity: VmIdentity;
  qemu: QemuProcess;
  port: number;
  folder: string;
}): BootingVm {
  const { launch, identity, qemu, port, folder } = parts;
  const console = readConsole(qemu.stdout);
  let complaint = '';
  qemu.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-complaintBytes);
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
    launchedAt: new Date(),
    exited,
    consoleTail: () => console.tail(),
    observe: async () => ({ image: await launch.parts, outside: await observeProcess(qemu.pid as number) }),
    destroy,
  };
  return { vm, console, complaint: () => complaint.trim() };
}
