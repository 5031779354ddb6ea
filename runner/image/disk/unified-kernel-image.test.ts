import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeStub } from './stub-for-tests.ts';
import { readSections, unifiedKernelImage } from './unified-kernel-image.ts';

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
