import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { describe, test } from 'node:test';
import { judgedPcrs, type Measurement, pcrValues } from '../../image/measured/measurements.ts';
import { algorithm, type Quote, selection } from './commands.ts';
import { judgeQuote } from './judge-quote.ts';
import { sized, u16, u32 } from './wire.ts';

const tpm = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const nonce = randomBytes(32);
const digest = (text: string) => createHash('sha256').update(text).digest();
const measured = (pcr: number, text: string, what: string): Measurement => ({
  ...{ pcr, digest: digest(text), what },
});
const measurements = [
  measured(4, 'program', 'the unified kernel image'),
  measured(4, 'kernel', 'the kernel'),
  measured(9, 'initramfs', 'the initramfs that the kernel got'),
  measured(11, 'quiet', 'the section .cmdline'),
];
const reference = { attestationKey: tpm.publicKey, nonce, measurements };

/** What a TPM in which this was measured signs. */
function quoteOf(
  seen: readonly Measurement[],
  change: { nonce?: Buffer; key?: KeyObject; pcrs?: readonly number[]; magic?: number } = {},
): Quote {
  const pcrs = change.pcrs ?? judgedPcrs;
  const values = [...pcrValues(seen, pcrs).values()];
  const attested = Buffer.concat([
    ...[u32(change.magic ?? 0xff544347), u16(0x8018), sized(randomBytes(34)), sized(change.nonce ?? nonce)],
    ...[Buffer.alloc(25), u32(1), selection(algorithm.sha256, pcrs)],
    sized(createHash('sha256').update(Buffer.concat(values)).digest()),
  ]);
  const key = change.key ?? tpm.privateKey;
  const signed = sign('sha256', attested, { key, dsaEncoding: 'ieee-p1363' });
  // A TPM leaves leading zeros out.
  const number = (bytes: Buffer) => sized(bytes.subarray(bytes.findIndex((byte) => byte !== 0)));
  const numbers = [number(signed.subarray(0, 32)), number(signed.subarray(32))];
  return {
    attested,
    signature: Buffer.concat([u16(algorithm.ecdsa), u16(algorithm.sha256), ...numbers]),
  };
}

/** The TCG event log of the same, with a remark and an event of firmware that nobody judges. */
function logOf(seen: readonly (Measurement & { data?: Buffer })[]): Buffer {
  const le = (...values: number[]) => Buffer.concat(values.map((value) => u32(value).swap32()));
  const spec = Buffer.concat([
    Buffer.from('Spec ID Event03\0'),
    ...[Buffer.alloc(8), le(1), Buffer.from([0x0b, 0, 32, 0, 0])],
  ]);
  const event = (pcr: number, type: number, value: Buffer, data: Buffer) =>
    Buffer.concat([le(pcr, type, 1), Buffer.from([0x0b, 0]), value, le(data.length), data]);
  return Buffer.concat([
    ...[le(0, 3), Buffer.alloc(20), le(spec.length), spec],
    event(0, 3, Buffer.alloc(32), Buffer.from('StartupLocality')),
    event(0, 8, digest('firmware'), Buffer.alloc(0)),
    ...seen.map((one) => event(one.pcr, 0xd, one.digest, one.data ?? Buffer.alloc(0))),
  ]);
}

function refusal(quote: Quote, log?: Buffer): string {
  const verdict = judgeQuote(quote, reference, log);
  return verdict.ok ? 'accepted' : verdict.violations.join('\n');
}

describe('a quote', () => {
  test('of the expected start is accepted, with the registers', () => {
    const verdict = judgeQuote(quoteOf(measurements), reference);
    const expected = [...pcrValues(measurements, judgedPcrs)].map(([pcr, value]) => [
      `${pcr}`,
      value.toString('hex'),
    ]);
    assert.deepEqual(verdict, { ok: true, pcrs: Object.fromEntries(expected) });
    assert.equal(expected.at(-1)?.[1], '0'.repeat(64));
  });

  test('that answers an earlier question is refused', () => {
    assert.match(refusal(quoteOf(measurements, { nonce: randomBytes(32) })), /it is an old one/);
  });

  test('of another TPM is refused, whatever it says', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    assert.match(refusal(quoteOf(measurements, { key: privateKey })), /not signed by the TPM/);
  });

  test('with one bit changed, cut off, or without a signature is refused', () => {
    const quote = quoteOf(measurements);
    for (let at = 0; at < quote.attested.length; at += 7) {
      const attested = Buffer.from(quote.attested);
      attested[at] = (attested[at] ?? 0) ^ 1;
      assert.match(refusal({ ...quote, attested }), /not signed by the TPM/);
    }
    for (const signature of [Buffer.alloc(0), quote.signature.subarray(0, 20), Buffer.alloc(72)])
      assert.match(refusal({ ...quote, signature }), /not signed by the TPM/);
  });

  test('about other registers, or signed bytes that are no quote, are refused', () => {
    assert.match(refusal(quoteOf(measurements, { pcrs: [4, 11] })), /not about the registers 4, 9, 11, 12/);
    assert.match(refusal(quoteOf(measurements, { magic: 0x12345678 })), /is no quote/);
  });
});

describe('a start that differs is refused and put into words:', () => {
  test('what is other than in the image', () => {
    const seen = measurements
      .with(1, measured(4, 'another kernel', ''))
      .with(3, measured(11, 'init=/bin/sh', ''));
    assert.equal(
      refusal(quoteOf(seen), logOf(seen)),
      'the kernel is not that of the image (register 4)\nthe section .cmdline is not that of the image (register 11)',
    );
  });

  test('what is missing, and what was handed in beside it', () => {
    const given = { ...measured(12, 'x', ''), data: Buffer.from('init=/bin/sh\0', 'utf16le') };
    const seen = [...measurements.filter(({ pcr }) => pcr !== 9), given];
    assert.equal(
      refusal(quoteOf(seen), logOf(seen)),
      'the initramfs that the kernel got was not measured (register 9)\nsomething else was measured: "init=/bin/sh" (register 12)',
    );
  });

  test('a log that tells another story than the TPM is not believed', () => {
    const seen = measurements.with(1, measured(4, 'another kernel', ''));
    assert.match(refusal(quoteOf(seen), logOf(measurements)), /does not account for what the TPM signed/);
    assert.match(refusal(quoteOf(seen)), /showed no event log/);
    assert.match(refusal(quoteOf(seen), Buffer.from('no log')), /cannot be read/);
    const log = logOf(seen);
    for (let length = 0; length < log.length; length += 11)
      assert.match(refusal(quoteOf(seen), log.subarray(0, length)), /cannot be read|does not account/);
  });
});
