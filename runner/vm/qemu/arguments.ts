/** What QEMU is to run; nothing here is secret. */
export interface QemuMachine {
  accelerator: 'kvm' | 'tcg';
  memoryMib: number;
  cpus: number;
  kernelPath: string;
  commandLine: string;
  initrdPath?: string;
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
    ...['-kernel', machine.kernelPath, ...(machine.initrdPath ? ['-initrd', machine.initrdPath] : [])],
    ...['-append', machine.commandLine, '-device', 'virtio-rng-pci', ...network],
  ];
}
