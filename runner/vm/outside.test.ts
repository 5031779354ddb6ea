import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seenWithoutDisk } from './driver-for-tests.ts';
import { judgeOutside, type QemuObservation } from './outside.ts';
import { readMappings } from './qemu/observe-process.ts';

const memoryKib = 1024 * 1024;
const onEc2 = {
  ...{ kind: 'ec2', instance: 'i-1', state: 'running', image: 'ami-1', root_device: '/dev/xvda' },
  ...{ block_devices: ['/dev/xvda'], metadata_service: 'disabled', instance_profile: null },
};

function violationsOf(seen: unknown, options: { hostSwapAllowed?: boolean } = {}): string {
  const verdict = judgeOutside(seen, { memoryKib, ...options });
  return verdict.ok ? '' : verdict.violations.join('; ');
}

const withArguments = (...more: string[]) => ({ arguments: [...seenWithoutDisk.arguments, ...more] });
const bad: [name: string, change: Partial<QemuObservation>, violation: RegExp][] = [
  ['a drive', withArguments('-drive', 'file=/tmp/disk'), /command line has -drive file=/],
  ['a drive named with two hyphens', withArguments('--drive', 'file=/tmp/disk'), /command line has --drive/],
  ['a block device node', withArguments('-blockdev', 'driver=file'), /command line has -blockdev/],
  ['a disk by its short name', withArguments('-hda', '/tmp/disk'), /command line has -hda/],
  ['a disc', withArguments('-cdrom', '/tmp/disc'), /command line has -cdrom/],
  ['a disk controller', withArguments('-device', 'nvme,drive=d'), /command line has -device nvme/],
  [
    'a virtual disk',
    withArguments('-device', 'virtio-blk-pci,drive=d'),
    /command line has -device virtio-blk/,
  ],
  ['a folder of the machine', withArguments('-virtfs', 'local,path=/'), /command line has -virtfs/],
  ['a folder by the network', withArguments('-netdev', 'user,id=net,smb=/srv'), /command line has -netdev/],
  ['memory in a file', withArguments('-mem-path', '/srv/memory'), /command line has -mem-path/],
  ['memory of another object', withArguments('-object', 'memory-backend-file,id=m'), /has -object/],
  ['a console in a file', withArguments('-serial', 'file:/tmp/console'), /command line has -serial file/],
  ['an option of a file', withArguments('-readconfig', '/tmp/more'), /command line has -readconfig/],
  ['an open file', { open_files: ['/dev/null', '/srv/disk.img'] }, /it has \/srv\/disk.img open/],
  ['an open block device', { open_files: ['/dev/sda'] }, /it has \/dev\/sda open/],
  ['memory that is written to a file', { shared_files: ['/srv/memory'] }, /written through to \/srv\/memory/],
  ['memory that nobody found', { memory: null }, /not anonymous memory/],
  ['less memory than the VM has', { memory: { kib: 1000, dumped: false, merged: false } }, /not anonymous/],
  ['memory that is dumped', { memory: { kib: memoryKib, dumped: true, merged: false } }, /core dump would/],
  ['memory that is merged', { memory: { kib: memoryKib, dumped: false, merged: true } }, /may be merged/],
  ['core dumps', { core_limit_bytes: null }, /may leave a core dump/],
  ['memory in swap', { swapped_kib: 4 }, /4 KiB of its memory are in swap/],
  ['a console that is kept', { console: '/var/log/console' }, /its console goes to \/var\/log\/console/],
  ['a machine with swap', { host_swaps: ['/dev/sda2'] }, /the machine swaps to \/dev\/sda2/],
];

test('a VM that only memory was seen of passes', () => {
  assert.equal(violationsOf(seenWithoutDisk), '');
  assert.equal(violationsOf(onEc2), '');
});

for (const [name, change, violation] of bad) {
  test(`refuses ${name}`, () => assert.match(violationsOf({ ...seenWithoutDisk, ...change }), violation));
}

test('a machine may have swap where that is allowed, but a VM may not be in it', () => {
  const swapping = { ...seenWithoutDisk, host_swaps: ['/dev/sda2'] };
  assert.equal(violationsOf(swapping, { hostSwapAllowed: true }), '');
  assert.match(violationsOf({ ...swapping, swapped_kib: 8 }, { hostSwapAllowed: true }), /8 KiB/);
});

test('a VM may go on from a template by a descriptor, and from nothing else', () => {
  const from = (source: string) => ({
    ...seenWithoutDisk,
    arguments: [...seenWithoutDisk.arguments, '-incoming', source],
  });
  assert.equal(violationsOf(from('fd:4')), '');
  for (const source of ['exec:cat /srv/memory', 'unix:/srv/socket', 'tcp:10.0.0.1:4444', 'defer'])
    assert.match(violationsOf(from(source)), /its command line has -incoming/);
  const open = { ...from('fd:4'), open_files: ['/dev/shm/memory (deleted)'] };
  assert.match(violationsOf(open), /it has \/dev\/shm\/memory \(deleted\) open/);
});

test('refuses an instance with a second volume, open metadata or a role, and one that is not running', () => {
  const changes = { block_devices: ['/dev/xvda', '/dev/sdf'], metadata_service: 'enabled' };
  const violations = violationsOf({ ...onEc2, ...changes, instance_profile: 'arn', state: 'stopping' });
  for (const part of [/\/dev\/sdf is attached/, /metadata service is open/, /profile arn/, /is stopping/])
    assert.match(violations, part);
});

test('refuses what is no observation', () => {
  for (const seen of [undefined, null, {}, { kind: 'qemu' }, { ...seenWithoutDisk, kind: 'xen' }])
    assert.match(violationsOf(seen), /nothing that can be judged/);
});

test('finds the memory of a guest among the mappings of its process', () => {
  const mapping = (head: string, kib: number, flags: string) => `${head}\nSize: ${kib} kB\nVmFlags: ${flags}`;
  const smaps = [
    mapping('7f0000000000-7f0000001000 rw-p 00000000 00:00 0 ', 1_048_576, 'rd wr mr mw me ac dd hg'),
    mapping('7f1000000000-7f1000001000 rwxp 00000000 00:00 0 ', 2_000_000, 'rd wr ex'),
    mapping('7f2000000000-7f2000001000 r--p 00000000 00:1a 13 /dev/shm/initrd (deleted)', 3_000_000, 'rd'),
    mapping('7f3000000000-7f3000001000 rw-s 00000000 08:01 13 /srv/memory', 4_000_000, 'rd wr sh'),
    mapping('7f4000000000-7f4000001000 rw-s 00000000 00:0e 13 anon_inode:kvm-vcpu:0', 12, 'rd wr sh'),
  ].join('\n');
  assert.deepEqual(readMappings(smaps), {
    memory: { kib: 1_048_576, dumped: false, merged: false },
    shared_files: ['/srv/memory'],
  });
});
