import { Ajv } from 'ajv';
import { type Static, Type } from 'typebox';

const Texts = Type.Array(Type.String());

/** What Linux tells of the process of a QEMU VM. */
export const QemuObservation = Type.Object({
  kind: Type.Literal('qemu'),
  executable: Type.String(),
  arguments: Texts,
  open_files: Type.Array(Type.String(), {
    description: 'Open files by path; sockets and pipes are not among them.',
  }),
  console: Type.String({ description: 'Where its standard output goes, on which the console is.' }),
  memory: Type.Union([
    Type.Object({
      kib: Type.Integer(),
      dumped: Type.Boolean({ description: 'Whether a core dump would hold it.' }),
      merged: Type.Boolean({ description: 'Whether it may be shared with equal pages of other processes.' }),
    }),
    Type.Null(),
  ]),
  shared_files: Type.Array(Type.String(), { description: 'Files that its memory is written through to.' }),
  swapped_kib: Type.Integer(),
  core_limit_bytes: Type.Union([Type.Integer(), Type.Null()], {
    description: 'Null when there is no limit.',
  }),
  host_swaps: Type.Array(Type.String(), { description: 'Devices and files that the machine swaps to.' }),
});
export type QemuObservation = Static<typeof QemuObservation>;

/** What Amazon EC2 tells of an instance. */
export const Ec2Observation = Type.Object({
  kind: Type.Literal('ec2'),
  instance: Type.String(),
  state: Type.String(),
  image: Type.String(),
  root_device: Type.Union([Type.String(), Type.Null()]),
  block_devices: Texts,
  metadata_service: Type.String(),
  instance_profile: Type.Union([Type.String(), Type.Null()]),
});
export type Ec2Observation = Static<typeof Ec2Observation>;

const Observation = Type.Union([QemuObservation, Ec2Observation]);
export type OutsideObservation = Static<typeof Observation>;

export type OutsideVerdict = { ok: true; seen: OutsideObservation } | { ok: false; violations: string[] };

const validate = new Ajv({ strict: false }).compile<OutsideObservation>(Observation);

/**
 * Judges what was seen of a VM from outside before it is trusted with source. Pure.
 *
 * @param memoryKib how much memory the VM has at least
 * @param hostSwapAllowed whether the machine may have swap; what is swapped already is refused in any case
 */
export function judgeOutside(
  seen: unknown,
  { memoryKib, hostSwapAllowed = false }: { memoryKib: number; hostSwapAllowed?: boolean },
): OutsideVerdict {
  if (!validate(seen))
    return { ok: false, violations: ['nothing that can be judged was seen of it from outside'] };
  const violations =
    seen.kind === 'ec2'
      ? ec2Violations(seen)
      : [...qemuViolations(seen, memoryKib), ...(hostSwapAllowed ? [] : swapViolations(seen))];
  return violations.length === 0 ? { ok: true, seen } : { ok: false, violations };
}

function qemuViolations(seen: QemuObservation, memoryKib: number): string[] {
  const { memory } = seen;
  return [
    ...argumentViolations(seen.arguments),
    ...seen.open_files.filter((path) => !harmlessFiles.has(path)).map((path) => `it has ${path} open`),
    ...seen.shared_files.map((path) => `its memory is written through to ${path}`),
    ...(memory && memory.kib >= memoryKib ? [] : ['its memory is not anonymous memory of its process']),
    ...(memory?.dumped ? ['a core dump would hold its memory'] : []),
    ...(memory?.merged ? ['its memory may be merged with that of others'] : []),
    ...(seen.core_limit_bytes === 0 ? [] : ['its process may leave a core dump']),
    ...(seen.swapped_kib === 0 ? [] : [`${seen.swapped_kib} KiB of its memory are in swap`]),
    ...(/^(pipe|socket):/.test(seen.console) ? [] : [`its console goes to ${seen.console}`]),
  ];
}

function swapViolations({ host_swaps }: QemuObservation): string[] {
  return host_swaps.map((name) => `the machine swaps to ${name}, so its memory may be written there`);
}

const harmlessFiles = new Set(['/dev/null', '/dev/kvm', '/dev/urandom', '/dev/random', '/dev/net/tun']);

/** Options that can bring no disk, file or folder of the machine into a VM; of some only these values. */
const harmlessOptions: Record<string, RegExp> = {
  ...Object.fromEntries(
    ['-accel', '-cpu', '-m', '-smp', '-sandbox', '-kernel', '-initrd', '-append'].map((name) => [name, /./]),
  ),
  ...Object.fromEntries(['-nodefaults', '-no-user-config', '-no-reboot'].map((name) => [name, /^$/])),
  '-M': /^q35(,(sata|smbus|dump-guest-core|mem-merge)=off)*$/,
  '-display': /^none$/,
  '-serial': /^(stdio|chardev:identity)$/,
  '-device': /^(virtio-(net|rng)-pci(,(romfile|netdev)=\w*)*|tpm-crb,tpmdev=tpm)$/,
  // Measured boot: firmware as a ROM, and sockets that QEMU was handed.
  '-bios': /./,
  '-chardev': /^socket,id=(identity|tpm),fd=\d+$/,
  '-tpmdev': /^emulator,id=tpm,chardev=tpm$/,
  // Going on from a template: by a descriptor, which is judged as an open file while it is open.
  '-incoming': /^fd:\d+$/,
  '-netdev': /^user,id=\w+(,hostfwd=tcp:127\.0\.0\.1:\d+-:22)?$/,
};

function argumentViolations([, ...given]: string[]): string[] {
  const violations: string[] = [];
  for (let at = 0; at < given.length; at++) {
    const option = given[at] ?? '';
    const next = given[at + 1];
    const takesValue = next !== undefined && !next.startsWith('-');
    const value = takesValue ? next : '';
    if (takesValue) at += 1;
    if (!harmlessOptions[option]?.test(value))
      violations.push(`its command line has ${`${option} ${value}`.trim()}`);
  }
  return violations;
}

function ec2Violations(seen: Ec2Observation): string[] {
  return [
    ...(seen.state === 'running' ? [] : [`the instance is ${seen.state}`]),
    ...seen.block_devices
      .filter((name) => name !== seen.root_device)
      .map((name) => `the block device ${name} is attached besides the root device`),
    ...(seen.metadata_service === 'disabled' ? [] : ['its metadata service is open']),
    ...(seen.instance_profile === null ? [] : [`it has the instance profile ${seen.instance_profile}`]),
  ];
}
