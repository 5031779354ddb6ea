import assert from 'node:assert/strict';
import { test } from 'node:test';
import { smallExecutable } from './executable-for-tests.ts';
import { readMachO } from './load-commands.ts';
import { removeSignature } from './remove-signature.ts';
import { signAdHoc } from './sign.ts';
import { verifySignature } from './verify.ts';

// Whether Apple reads signatures the same way is asked of Node's own, by npm run test:provider-release.

test('a signed executable has a signature without a certificate over all its pages', () => {
  const signed = signAdHoc(smallExecutable(), 'example');
  assert.deepEqual(verifySignature(signed), { identifier: 'example', adHoc: true, pages: 4, blobs: 1 });
});

test('the signature ends the file and __LINKEDIT, and both its ends are multiples of 16', () => {
  const signed = signAdHoc(smallExecutable(), 'example');
  const { signature, linkEdit } = readMachO(signed);
  assert.ok(signature);
  assert.deepEqual([signature.offset % 16, signed.length % 16], [0, 0]);
  assert.equal(signature.offset + signature.size, signed.length);
  assert.equal(linkEdit.offset + linkEdit.size, signed.length);
});

test('a changed byte is noticed wherever the signature covers it', () => {
  const signed = signAdHoc(smallExecutable(), 'example');
  const { signature } = readMachO(signed);
  assert.ok(signature);
  for (const at of [28, 0x0fff, 0x1000, 0x2abc, signature.offset - 1]) {
    const changed = Buffer.from(signed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    assert.throws(() => verifySignature(changed), /Page \d differs/, `byte ${at}`);
  }
});

test('changed requirements are noticed', () => {
  const signed = signAdHoc(smallExecutable(), 'example');
  const requirements = signed.lastIndexOf(Buffer.from('fade0c01', 'hex'));
  signed[requirements + 11] = 1;
  assert.throws(() => verifySignature(signed), /Blob 2 differs/);
});

test('signing again replaces the signature, and removing it gives what was signed', () => {
  const signed = signAdHoc(smallExecutable(), 'first');
  assert.deepEqual(signAdHoc(signed, 'second'), signAdHoc(smallExecutable(), 'second'));
  const before = smallExecutable();
  const after = removeSignature(signed);
  assert.throws(() => verifySignature(after), /no signature/);
  assert.deepEqual(after.subarray(0x1000, before.length), before.subarray(0x1000));
  assert.equal(readMachO(after).commandsEnd, readMachO(before).commandsEnd);
});

test('nothing is signed that is no executable or has no room for a signature', () => {
  assert.throws(() => signAdHoc(Buffer.alloc(64), 'example'), /no Mach-O/);
  const full = smallExecutable();
  full.writeUInt32LE(readMachO(full).commandsEnd + 8, 32 + 72 + 48);
  assert.throws(() => signAdHoc(full, 'example'), /no room/);
});
