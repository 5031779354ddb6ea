import { rm } from 'node:fs/promises';
import type { VmImage } from '../../../contract/vm.ts';
import type { Image } from '../../image/build-image.ts';
import type { MeasuredProgram } from '../../image/measured/measured-program.ts';
import type { Vm, VmExit, VmLaunch } from '../driver.ts';
import { createIdentity, type VmIdentity } from '../identity.ts';
import { attest } from '../tpm/attest.ts';
import { readConsole } from './console.ts';
import { freePort } from './free-port.ts';
import { observeProcess } from './observe-process.ts';
import { startRestored } from './restore.ts';
import { type StartedVm, startKernel, startProgram } from './start.ts';
import type { Template } from './template.ts';
import { createVmFolder, dropVmFolder, ownsVmFolder, shareVmFolder } from './vm-folder.ts';
import { type BootingVm, whenReady } from './when-ready.ts';

export interface QemuLaunch extends VmLaunch {
  image: Image;
  /** Digests of the image's parts, which are being computed. */
  parts: Promise<VmImage>;
  runtimeDir: string;
  accelerator: 'kvm' | 'tcg';
  bootTimeoutMs: number;
  /** The image as a program that firmware measures; without it QEMU starts the kernel itself. */
  program?: MeasuredProgram;
  /** Where it goes on from; without it the image boots. */
  template?: Template;
}

// Where QEMU's user network shows the machine's own loopback to a guest.
const hostAddress = '10.0.2.2';
const defaultDeadmanSeconds = 60;
const complaintBytes = 2_000;

/** Boots one VM. When that fails, processes, folder and keys are gone before it throws. */
export async function launchVm(launch: QemuLaunch): Promise<Vm> {
  const folder = await createVmFolder(launch.runtimeDir, launch.id);
  const { program, template, deadmanSeconds = defaultDeadmanSeconds } = launch;
  // Where the kernel's command line is the same for all, the identity says it.
  const identity = createIdentity(program || template ? { deadmanSeconds } : {});
  let booting: BootingVm | undefined;
  try {
    const { accelerator, memoryMib, cpus, image, signal } = launch;
    const port = await freePort();
    const place = { machine: { accelerator, memoryMib, cpus, sshPort: port }, folder, identity, signal };
    const started = await (program
      ? startProgram({ ...place, program })
      : template
        ? startRestored({ ...place, template })
        : startKernel({ ...place, image, deadmanSeconds }));
    booting = describe({ launch, identity, started, port, folder });
    await whenReady(booting, launch.bootTimeoutMs, launch.signal);
    await started.settle();
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

function describe(parts: {
  launch: QemuLaunch;
  identity: VmIdentity;
  started: StartedVm;
  port: number;
  folder: string;
}): BootingVm {
  const { launch, identity, started, port, folder } = parts;
  const { qemu, reference } = started;
  const console = readConsole(qemu.stdout);
  let complaint = '';
  qemu.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-complaintBytes);
  });
  const { promise: exited, resolve: exit } = Promise.withResolvers<VmExit>();
  qemu.once('close', (code, signal) => exit({ code, signal }));
  const release = async () => {
    started.release();
    identity.clientKey.fill(0);
  };
  const destroy = async () => {
    // A runner that slept while another one took the VM over must not end it.
    if (!(await ownsVmFolder(folder))) {
      exit({ code: null, signal: null });
      return await release();
    }
    qemu.kill('SIGKILL');
    await exited;
    await started.end();
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
    image: launch.image.digest,
    launchedAt: new Date(),
    exited,
    ...(reference && { attest: (connection, signal) => attest(connection, reference, signal) }),
    consoleTail: () => console.tail(),
    observe: async () => ({
      image: await launch.parts,
      outside: await observeProcess(qemu.pid as number),
      ...(launch.template && {
        template: { made_at: launch.template.made_at, sha256: launch.template.sha256 },
      }),
    }),
    destroy,
    share: () => shareVmFolder(folder),
    async release() {
      await release();
      // When nobody adopts it, it ends itself.
      void exited.then(() => dropVmFolder(folder)).catch(() => undefined);
    },
  };
  return { vm, console, complaint: () => complaint.trim() };
}
