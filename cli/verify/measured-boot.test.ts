import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { makeStub } from '../../runner/image/disk/stub-for-tests.ts';
import { unifiedKernelImage } from '../../runner/image/disk/unified-kernel-image.ts';
import { judgedPcrs, measurementsOf, pcrValues } from '../../runner/image/measured/measurements.ts';
import { newSigner, ramdisk, statementOf, vm } from './receipts-for-tests.ts';
import { verifyFile } from './verify-file.ts';

const signer = newSigner();
const kernel = makeStub(0);
const programOf = (initramfs: Buffer) =>
  unifiedKernelImage(makeStub(4), [
    { name: '.osrel', data: Buffer.from('ID=ebb') },
    { name: '.cmdline', data: Buffer.from('console=ttyS0') },
    { name: '.linux', data: kernel },
    { name: '.initrd', data: zstdCompressSync(initramfs) },
  ]);
const initramfs = Buffer.alloc(5000, 7);
const image = programOf(initramfs);
const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex');
const digests = { kernel: sha256(kernel), initramfs: sha256(initramfs) };
const pcrs: Record<string, string> = Object.fromEntries(
  [...pcrValues(measurementsOf(image, 'hypervisor'), judgedPcrs)].map(([pcr, value]) => [
    pcr,
    value.toString('hex'),
  ]),
);

/** The last check of a VM that told this of its boot. */
function lastCheck(measured_boot: unknown, options: { image?: Buffer; digests?: object } = {}) {
  const { report } = vm;
  assert.ok(report);
  const booted = { ...report, image: { recipe: 'base', digests: { ...digests, ...options.digests } } };
  const inside = { ...(vm.inside as object), measured_boot };
  const about = { ramdisk: { ...ramdisk, vm: { ...vm, inside, report: booted } } };
  const envelope = signer.signStatement(statementOf(about));
  const { ok, findings } = verifyFile(JSON.stringify(envelope), {
    jwks: signer.jwks(),
    ...(options.image ? { image: options.image } : {}),
  });
  const checks = findings.flatMap((finding) => finding.checks);
  const check = ok && !options.image ? checks.find(({ name }) => name === 'measured-boot') : checks.at(-1);
  return `${check?.ok ? '✔' : '✖'} ${check?.name}: ${check?.detail}`;
}

test('a receipt says in a line of its own whether its VM proved what it booted', () => {
  for (const nothing of ['off', undefined])
    assert.match(lastCheck(nothing), /^✔ measured-boot: off: .*the word of its runner alone/);
  assert.match(lastCheck({ verdict: 'as_expected', pcrs }), /^✔ measured-boot: .*registers 4, 9, 11, 12/);
});

test('registers that no boot of an image leaves do not hold', () => {
  const { 4: _, ...three } = pcrs;
  const shapes = [
    'on',
    {},
    { verdict: 'other', pcrs },
    ...[three, { ...pcrs, 7: pcrs['9'] }, { ...pcrs, 4: 'ab' }].map((other) => ({
      verdict: 'as_expected',
      pcrs: other,
    })),
  ];
  for (const told of shapes) assert.match(lastCheck(told), /^✖ measured-boot: It is neither off nor/);
  const of = (change: object) => lastCheck({ verdict: 'as_expected', pcrs: { ...pcrs, ...change } });
  assert.match(of({ 12: 'a'.repeat(64) }), /^✖ measured-boot: .*beside its image/);
  assert.match(of({ 9: '0'.repeat(64) }), /^✖ measured-boot: .*nothing was measured into it/);
});

test('registers are compared with those that the bytes of an image measure', () => {
  const told = { verdict: 'as_expected', pcrs };
  assert.match(lastCheck(told, { image }), /^✔ image: vm-7 booted it/);
  assert.match(
    lastCheck({ ...told, pcrs: { ...pcrs, 9: 'a'.repeat(64) } }, { image }),
    /^✖ image: .*registers 9 differ/,
  );
  const other = programOf(Buffer.alloc(5000, 8));
  assert.match(lastCheck(told, { image: other }), /^✖ image: .*did not boot the image/);
  const swapped = { initramfs: 'c'.repeat(64) };
  assert.match(lastCheck(told, { image, digests: swapped }), /^✖ image: .*names another initramfs/);
});

test('without registers, or without an image, there is nothing to compare', () => {
  assert.match(lastCheck('off', { image }), /^✖ image: .*booted without measuring/);
  const told = { verdict: 'as_expected', pcrs };
  assert.match(lastCheck(told, { image: Buffer.from('ELF') }), /^✖ image: .*no unified kernel image/);
});
