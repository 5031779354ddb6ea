import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeRamdiskProof } from './ramdisk-proof.ts';
import { proofWithoutDisk } from './ramdisk-proof-for-tests.ts';

const bad: [name: string, change: Record<string, unknown>, violation: RegExp][] = [
  ...['ext4', 'nfs4', 'fuse.sshfs', 'overlay', '9p', 'virtiofs'].map(
    (type): [string, Record<string, unknown>, RegExp] => [
      `a mount of type ${type}`,
      { mounts: [...proofWithoutDisk.mounts, { source: '/dev/x', target: '/home', type, options: 'rw' }] },
      /\/home is mounted from \/dev\/x as/,
    ],
  ),
  ['a partition', { partitions: ['nvme0n1p1'] }, /partition nvme0n1p1/],
  ['swap', { swaps: ['/dev/zram0'] }, /\/dev\/zram0 is used as swap/],
  ['a block device', { block_devices: ['vda'] }, /block device vda/],
  ['a driven NVMe controller', { nvme_bound: ['0000:00:04.0'] }, /NVMe driver drives 0000:00:04.0/],
  [
    'a module for disks',
    { modules: [...proofWithoutDisk.modules, 'virtio_blk'] },
    /module virtio_blk is loaded/,
  ],
  ['a module that only begins like a good one', { modules: ['virtio_net_x'] }, /module virtio_net_x/],
  ['loadable modules', { modules_disabled: 0 }, /modules can still be loaded/],
  ['loadable kernels', { kexec_load_disabled: 0 }, /another kernel can still be loaded/],
  ['a kernel with NVMe', { command_line: 'console=ttyS0 quiet' }, /leave NVMe out/],
  [
    'a kernel with NVMe that names another function',
    { command_line: 'initcall_blacklist=nvme_init_late' },
    /leave NVMe out/,
  ],
  ['a missing field', { swaps: undefined }, /swaps/],
  ['a field of another kind', { modules_disabled: '1' }, /modules_disabled/],
  ['no mounts at all', { mounts: [] }, /shows no root/],
  [
    'a root that is not in memory',
    { mounts: [{ source: '/dev/vda', target: '/', type: 'ext4', options: 'rw' }] },
    /\/ is mounted from \/dev\/vda as ext4/,
  ],
];

test('a machine that has only memory passes', () => {
  assert.deepEqual(judgeRamdiskProof(proofWithoutDisk), { ok: true, proof: proofWithoutDisk });
});

test('NVMe may be left out together with others', () => {
  const proof = { ...proofWithoutDisk, command_line: 'initcall_blacklist=loop_init,nvme_init quiet' };
  assert.equal(judgeRamdiskProof(proof).ok, true);
});

for (const [name, change, violation] of bad) {
  test(`refuses ${name}`, () => {
    const verdict = judgeRamdiskProof({ ...proofWithoutDisk, ...change });
    assert.ok(!verdict.ok);
    assert.match(verdict.violations.join('\n'), violation);
  });
}

test('refuses what is no proof', () => {
  for (const shown of [undefined, null, 'ok', [], {}, { ok: true }]) {
    const verdict = judgeRamdiskProof(shown);
    assert.ok(!verdict.ok && verdict.violations.length > 0);
  }
});

test('names every violation, not only the first', () => {
  const verdict = judgeRamdiskProof({ ...proofWithoutDisk, swaps: ['/swap'], block_devices: ['sda', 'sdb'] });
  assert.ok(!verdict.ok);
  assert.equal(verdict.violations.length, 3);
});
