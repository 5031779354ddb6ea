import assert from 'node:assert/strict';
import { test } from 'node:test';
import { removeAuthenticode } from './remove-authenticode.ts';

const pe = 0x80;
const certificates = pe + 168;

/** A header for Windows on x64 with a body, and a certificate table of `size` bytes behind it. */
function program(size: number): Buffer {
  const file = Buffer.alloc(0x400 + size, 7);
  file.writeUInt32LE(pe, 0x3c);
  file.write('PE\0\0', pe, 'latin1');
  file.writeUInt16LE(0x20b, pe + 24);
  file.writeUInt32LE(0xabcd, pe + 88);
  file.writeUInt32LE(size && 0x400, certificates);
  file.writeUInt32LE(size, certificates + 4);
  return file;
}

test('the certificates of a Windows program go, with what points to them, and nothing else', () => {
  const unsigned = removeAuthenticode(program(64));
  const expected = program(0);
  expected.writeUInt32LE(0, pe + 88);
  assert.deepEqual(unsigned, expected);
});

test('a program without certificates stays as it is', () => {
  assert.deepEqual(removeAuthenticode(program(0)), program(0));
});

test('what is no such program, or has something behind its certificates, is refused', () => {
  assert.throws(() => removeAuthenticode(Buffer.alloc(0x400)), /no 64-bit program/);
  assert.throws(() => removeAuthenticode(Buffer.concat([program(64), Buffer.alloc(8)])), /does not end/);
});
