import type { RamdiskProof } from './ramdisk-proof.ts';

/** As a booted machine shows it. */
export const proofWithoutDisk: RamdiskProof = {
  mounts: [
    { source: 'none', target: '/', type: 'rootfs', options: 'rw,size=865440k' },
    { source: 'proc', target: '/proc', type: 'proc', options: 'rw,nosuid' },
    { source: 'sysfs', target: '/sys', type: 'sysfs', options: 'rw,nosuid' },
    { source: 'devtmpfs', target: '/dev', type: 'devtmpfs', options: 'rw' },
    { source: 'devpts', target: '/dev/pts', type: 'devpts', options: 'rw' },
    { source: 'tmpfs', target: '/tmp', type: 'tmpfs', options: 'rw' },
  ],
  partitions: [],
  swaps: [],
  block_devices: [],
  modules: ['virtio_net', 'net_failover', 'failover', 'virtio_rng', 'virtio_pci', 'virtio_ring', 'virtio'],
  modules_disabled: 1,
  kexec_load_disabled: 1,
  command_line: 'console=ttyS0 quiet initcall_blacklist=nvme_init lockdown=confidentiality ebb.deadman=60',
  nvme_bound: [],
  filesystems: ['sysfs', 'tmpfs', 'proc', 'ext4'],
  boot_id: '0b0a9b0e-4c53-4f3e-8f33-1a2b3c4d5e6f',
  memory_kib: 961_000,
};
