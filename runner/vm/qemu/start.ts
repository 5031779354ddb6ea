import type { Socket } from 'node:net';
import type { Image } from '../../image/build-image.ts';
import type { MeasuredProgram } from '../../image/measured/measured-program.ts';
import type { VmIdentity } from '../identity.ts';
import type { QuoteReference } from '../tpm/judge-quote.ts';
import type { QemuMachine } from './arguments.ts';
import { answerIdentity } from './identity-port.ts';
import { dropInitrd, writeInitrd } from './initrd.ts';
import { type QemuProcess, releaseQemu, spawnQemu } from './spawn-qemu.ts';
import { startTpm } from './swtpm.ts';
import { writeOwner } from './vm-folder.ts';

/** A QEMU process that boots, with what belongs to it. */
export interface StartedVm {
  qemu: QemuProcess;
  /** Takes away what was needed for the boot alone. */
  settle(): Promise<void>;
  /** Ends what runs beside QEMU, once that has ended. May be called again. */
  end(): Promise<void>;
  /** Lets all of it go on without this process. */
  release(): void;
  /** What its proofs are held against, where it boots measured. */
  reference?: Omit<QuoteReference, 'nonce'>;
}

/** What every start of a VM needs. */
export interface Place {
  machine: Omit<QemuMachine, 'start'>;
  folder: string;
  identity: VmIdentity;
  signal: AbortSignal;
}

/** QEMU puts kernel and initramfs into memory, the identity before them. */
export async function startKernel(
  options: Place & { image: Image; deadmanSeconds: number },
): Promise<StartedVm> {
  const { machine, folder, identity, image, deadmanSeconds } = options;
  const { kernelPath } = image;
  const initrdPath = await writeInitrd(folder, identity.archive, image.initramfsPath);
  const commandLine = `console=ttyS0 ${image.commandLine} ebb.deadman=${deadmanSeconds}`;
  const qemu = await spawnQemu({ ...machine, start: { kernelPath, commandLine, initrdPath } }, (pid) =>
    writeOwner(folder, { qemu: pid }),
  );
  return {
    qemu,
    settle: () => dropInitrd(initrdPath),
    end: async () => {},
    release: () => releaseQemu(qemu),
  };
}

/** UEFI firmware measures the image into a TPM of the VM's own and starts it; the identity comes when it is asked for. */
export async function startProgram(options: Place & { program: MeasuredProgram }): Promise<StartedVm> {
  const { machine, folder, identity, program, signal } = options;
  const tpm = await startTpm(folder, signal, (pid) => writeOwner(folder, { tpm: pid }));
  try {
    const qemu = await spawnQemu(
      { ...machine, start: { programPath: program.path, firmwarePath } },
      (pid) => writeOwner(folder, { qemu: pid, tpm: tpm.pid }),
      ['pipe', tpm.control],
    );
    // QEMU has it, and has not begun yet: nothing of what swtpm says to it can have been read here.
    tpm.control.destroy();
    const port = qemu.stdio[3] as unknown as Socket;
    answerIdentity(port, identity.archive);
    return {
      qemu,
      settle: async () => void port.destroy(),
      end: () => tpm.end(),
      release() {
        tpm.release();
        releaseQemu(qemu);
      },
      reference: { attestationKey: tpm.attestationKey, measurements: program.measurements },
    };
  } catch (error) {
    await tpm.end();
    throw error;
  }
}

/** UEFI firmware with a TPM driver, of the package ovmf: one file, to be used as a ROM. */
export const firmwarePath = '/usr/share/ovmf/OVMF.fd';
