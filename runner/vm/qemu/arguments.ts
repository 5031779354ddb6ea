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

/** As a kernel, with an identity port, and a monitor by which its memory is saved: as descriptors. It reaches no network. */
export interface TemplateStart extends KernelStart {
  monitored: true;
}

/** Goes on where a template stopped. The process gets an identity port and the template's memory as descriptors. */
export interface RestoredStart {
  restored: true;
}

/** Descriptors of QEMU's process. */
export const measuredDescriptors = { identity: 3, tpm: 4 };
export const templateDescriptors = { identity: 3, monitor: 4 };
export const restoredDescriptors = { identity: 3, memory: 4 };

/** What QEMU is to run; nothing here is secret. */
export interface QemuMachine {
  accelerator: 'kvm' | 'tcg';
  memoryMib: number;
  cpus: number;
  start: KernelStart | MeasuredStart | TemplateStart | RestoredStart;
  /** Port on loopback that leads to the VM's SSH server. */
  sshPort?: number;
}

/** A q35 machine without any block device; it ends instead of rebooting. */
export function qemuArguments(machine: QemuMachine): string[] {
  const acceleration =
    machine.accelerator === 'kvm'
      ? ['-accel', 'kvm', '-cpu', 'host']
      : ['-accel', 'tcg,thread=multi', '-cpu', 'max'];
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
    ...startArguments(machine.start),
    ...['-device', 'virtio-rng-pci', ...networkArguments(machine)],
  ];
}

function networkArguments({ start, sshPort }: QemuMachine): string[] {
  const device = ['-device', 'virtio-net-pci,romfile=,netdev=net'];
  // What goes on from a template must find the devices that it had.
  if ('monitored' in start) return ['-netdev', 'user,id=net,restrict=on', ...device];
  if (sshPort === undefined) return [];
  return ['-netdev', `user,id=net,hostfwd=tcp:127.0.0.1:${sshPort}-:22`, ...device];
}

function startArguments(start: QemuMachine['start']): string[] {
  if ('programPath' in start) return measuredStart(start);
  if ('restored' in start)
    return [...identityPort(restoredDescriptors.identity), '-incoming', `fd:${restoredDescriptors.memory}`];
  return 'monitored' in start ? [...kernelStart(start), ...templateStart()] : kernelStart(start);
}

function identityPort(descriptor: number): string[] {
  return ['-chardev', `socket,id=identity,fd=${descriptor}`, '-serial', 'chardev:identity'];
}

function templateStart(): string[] {
  return [
    ...identityPort(templateDescriptors.identity),
    ...['-chardev', `socket,id=monitor,fd=${templateDescriptors.monitor}`],
    ...['-mon', 'chardev=monitor,mode=control'],
  ];
}

function kernelStart({ kernelPath, initrdPath, commandLine }: KernelStart): string[] {
  return ['-kernel', kernelPath, ...(initrdPath ? ['-initrd', initrdPath] : []), '-append', commandLine];
}

/** Firmware as a ROM: it has no variables that last, and the program comes by fw_cfg, so that there is no disk. */
function measuredStart({ programPath, firmwarePath }: MeasuredStart): string[] {
  return [
    ...['-bios', firmwarePath, '-kernel', programPath],
    ...identityPort(measuredDescriptors.identity),
    ...['-chardev', `socket,id=tpm,fd=${measuredDescriptors.tpm}`],
    ...['-tpmdev', 'emulator,id=tpm,chardev=tpm', '-device', 'tpm-crb,tpmdev=tpm'],
  ];
}
