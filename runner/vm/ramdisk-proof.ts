import { Ajv } from 'ajv';
import { type Static, Type } from 'typebox';

const Texts = Type.Array(Type.String());

/** What the image's `ramdisk-proof` prints: all that tells whether a machine can keep anything on a disk. */
export const RamdiskProof = Type.Object({
  mounts: Type.Array(
    Type.Object({
      source: Type.String(),
      target: Type.String(),
      type: Type.String(),
      options: Type.String(),
    }),
  ),
  partitions: Texts,
  swaps: Texts,
  block_devices: Texts,
  modules: Texts,
  modules_disabled: Type.Integer(),
  kexec_load_disabled: Type.Integer(),
  command_line: Type.String(),
  nvme_bound: Texts,
  filesystems: Texts,
  boot_id: Type.String(),
  memory_kib: Type.Integer(),
});
export type RamdiskProof = Static<typeof RamdiskProof>;

export type RamdiskVerdict = { ok: true; proof: RamdiskProof } | { ok: false; violations: string[] };

const inMemory = new Set([
  ...['rootfs', 'ramfs', 'tmpfs', 'proc', 'sysfs', 'devtmpfs', 'devpts', 'mqueue', 'cgroup', 'cgroup2'],
  ...['securityfs', 'debugfs', 'tracefs', 'bpf', 'pstore'],
]);
// Network and randomness; nothing that drives a disk.
const harmlessModules =
  /^(virtio|virtio_ring|virtio_pci|virtio_pci_legacy_dev|virtio_pci_modern_dev|virtio_net|virtio_rng|net_failover|failover|rng_core|ena)$/;

const validate = new Ajv({ allErrors: true, strict: false }).compile(RamdiskProof);

/** Judges what a VM showed of itself before it is trusted with source. Pure. */
export function judgeRamdiskProof(shown: unknown): RamdiskVerdict {
  if (!validate(shown)) {
    return {
      ok: false,
      violations: (validate.errors ?? []).map((error) => `proof${error.instancePath} ${error.message}`),
    };
  }
  const proof = shown as RamdiskProof;
  const violations = [
    ...proof.mounts
      .filter((mount) => !inMemory.has(mount.type))
      .map(
        (mount) => `${mount.target} is mounted from ${mount.source} as ${mount.type}, which is not in memory`,
      ),
    ...(proof.mounts.some(({ target }) => target === '/') ? [] : ['the list of mounts shows no root']),
    ...proof.partitions.map((name) => `the kernel knows the partition ${name}`),
    ...proof.swaps.map((name) => `${name} is used as swap`),
    ...proof.block_devices.map((name) => `there is a block device ${name}`),
    ...proof.nvme_bound.map((name) => `the NVMe driver drives ${name}`),
    ...proof.modules
      .filter((name) => !harmlessModules.test(name))
      .map((name) => `the module ${name} is loaded`),
    ...(proof.modules_disabled === 1 ? [] : ['modules can still be loaded']),
    ...(proof.kexec_load_disabled === 1 ? [] : ['another kernel can still be loaded']),
    ...(/(^|\s)initcall_blacklist=(\S*,)?nvme_init(,|\s|$)/.test(proof.command_line)
      ? []
      : ['the kernel was not told to leave NVMe out']),
  ];
  return violations.length === 0 ? { ok: true, proof } : { ok: false, violations };
}
