/** QEMU itself puts a kernel into memory. */
export interface KernelStart {
  kernelPath: string;
  commandLine: string;
  initrdPath?: string;
}

/** Firmware starts one program and measures it. The process gets an identity port and a TPM as descriptors. */
export interface MeasuredStart {
  programPath: string;
  firmwarePath: string;
}

/** Descriptors of QEMU's process. */
export const measuredDescriptors = { identity: 3, tpm: 4 };

/** What QEMU is to run; nothing here is secret. */
export interface QemuMachine {
  accelerator: 'kvm' | 'tcg';
  memoryMib: number;
  cpus: number;
  start: KernelStart | MeasuredStart;
  /** Port on loopback that leads to the VM's SSH server. */
  sshPort?: number;
}

/** A q35 machine without any block device; it ends instead of rebooting. */
export function qemuArguments(machine: QemuMachine): string[] {
  const acceleration =
    machine.accelerator === 'kvm'
      ? ['-accel', 'kvm', '-cpu', 'host']
      : ['-accel', 'tcg,thread=multi', '-cpu', 'max'];
  const network =
    machine.sshPort === undefined
      ? []
      : [
          ...['-netdev', `user,id=net,hostfwd=tcp:127.0.0.1:${machine.sshPort}-:22`],
          ...['-device', 'virtio-net-pci,romfile=,netdev=net'],
        ];
  return [
    ...acceleration,
    // No disk controller; guest memory neither dumped nor shared with other processes by KSM, which leaks by timing.
    ...[
      '-M',
      'q35,sata=off,smbus=off,dump-guest-core=off,mem-merge=off',
      '-m',
      String(machine.memoryMib),
      '-smp',
      String(machine.cpus),
    ],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-serial', 'stdio'],
    ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
    ...('programPath' in machine.start ? measuredStart(machine.start) : kernelStart(machine.start)),
    ...['-device', 'virtio-rng-pci', ...network],
  ];
}

function kernelStart({ kernelPath, initrdPath, commandLine }: KernelStart): string[] {
  return ['-kernel', kernelPath, ...(initrdPath ? ['-initrd', initrdPath] : []), '-append', commandLine];
}

/** Firmware as a ROM: it has no variables that last, and the program comes by fw_cfg, so that there is no disk. */
function measuredStart({ programPath, firmwarePath }: MeasuredStart): string[] {
  return [
    ...['-bios', firmwarePath, '-kernel', programPath],
    ...['-chardev', `socket,id=identity,fd=${measuredDescriptors.identity}`, '-serial', 'chardev:identity'],
    ...['-chardev', `socket,id=tpm,fd=${measuredDescriptors.tpm}`],
    ...['-tpmdev', 'emulator,id=tpm,chardev=tpm', '-device', 'tpm-crb,tpmdev=tpm'],
  ];
}
