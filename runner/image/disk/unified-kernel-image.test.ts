import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSections, unifiedKernelImage } from './unified-kernel-image.ts';

/** A PE32+ file with one section `.text` of 512 bytes, and room in its header for `room` more. */
function makeStub(room: number): Buffer {
  const headerBytes = 512;
  const file = Buffer.alloc(headerBytes + 512);
  const peAt = headerBytes - 24 - 112 - 40 * (1 + room);
  file.write('MZ', 0, 'latin1');
  file.writeUInt32LE(peAt, 0x3c);
  file.write('PE\0\0', peAt, 'latin1');
  file.writeUInt16LE(1, peAt + 6);
  file.writeUInt16LE(112, peAt + 20);
  file.writeUInt16LE(0x20b, peAt + 24);
  file.writeUInt32LE(512, peAt + 24 + 36);
  file.writeUInt32LE(headerBytes, peAt + 24 + 60);
  const section = peAt + 24 + 112;
  file.write('.text', section, 'latin1');
  for (const [offset, value] of [
    [8, 300],
    [12, 0x1000],
    [16, 512],
    [20, headerBytes],
  ] as const)
    file.writeUInt32LE(value, section + offset);
  file.fill(0x90, headerBytes);
  return file;
}

const sections = [
  { name: '.cmdline', data: Buffer.from('console=ttyS0') },
  { name: '.linux', data: Buffer.alloc(5000, 7) },
];

test('appended sections are found by name, whole and aligned, after what was there', () => {
  const image = unifiedKernelImage(makeStub(2), sections);
  assert.deepEqual(
    readSections(image).map(({ name }) => name),
    ['.text', '.cmdline', '.linux'],
  );
  assert.deepEqual(readSections(image).slice(1), sections);
  assert.equal(image.length % 512, 0);
  const peAt = image.readUInt32LE(0x3c);
  const at = (index: number) => peAt + 24 + 112 + index * 40;
  const addresses = [1, 2].map((index) => image.readUInt32LE(at(index) + 12));
  assert.deepEqual(addresses, [0x2000, 0x3000]);
  assert.equal(image.readUInt32LE(peAt + 24 + 56), 0x5000, 'the size in memory covers all of them');
});

test('the same input gives the same bytes and leaves the stub as it was', () => {
  const stub = makeStub(2);
  const before = Buffer.from(stub);
  assert.deepEqual(unifiedKernelImage(stub, sections), unifiedKernelImage(stub, sections));
  assert.deepEqual(stub, before);
});

test('what is no PE file, or has no room, is refused', () => {
  assert.throws(() => unifiedKernelImage(Buffer.from('ELF'), sections), /no PE32\+ file/);
  assert.throws(() => unifiedKernelImage(Buffer.alloc(500), sections), /no PE32\+ file/);
  assert.throws(() => unifiedKernelImage(makeStub(1), sections), /no room for 2 more/);
});
