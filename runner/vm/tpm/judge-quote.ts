import { createHash, type KeyObject, verify } from 'node:crypto';
import { judgedPcrs, type Measurement, pcrValues } from '../../image/measured/measurements.ts';
import { algorithm, type Quote, selection } from './commands.ts';
import { explainDifference } from './explain-difference.ts';
import { readWire, u32 } from './wire.ts';

/** What a quote is held against. */
export interface QuoteReference {
  /** Public half of the key that is in this VM's TPM and no other. */
  attestationKey: KeyObject;
  /** What was to be signed with it, made for this question alone. */
  nonce: Buffer;
  /** What the start of the VM's image measures. */
  measurements: readonly Measurement[];
}

export type MeasuredBootVerdict =
  /** The registers by their numbers, in hexadecimal. */
  { ok: true; pcrs: Record<string, string> } | { ok: false; violations: string[] };

const generatedByTpm = 0xff544347;
const attestationOfQuote = 0x8018;

/**
 * Judges what a VM's TPM signed of its start. `eventLog` only puts a difference into words, and need not be there; what
 * decides is the signed digest. Pure.
 *
 * @see https://trustedcomputinggroup.org/resource/tpm-library-specification/ part 2, 10.12.8 (TPMS_ATTEST)
 */
export function judgeQuote(quote: Quote, reference: QuoteReference, eventLog?: Buffer): MeasuredBootVerdict {
  const { attestationKey, nonce, measurements } = reference;
  // Nothing of it is looked at before it is known whose words they are.
  if (!isSignedBy(quote, attestationKey))
    return refused('the quote is not signed by the TPM that was made for this VM');
  const said = readAttested(quote.attested);
  if (!said) return refused('what the TPM signed is no quote');
  if (!said.nonce.equals(nonce)) return refused('the quote answers another question: it is an old one');
  if (!said.selected.equals(wantedSelection))
    return refused(`the quote is not about the registers ${judgedPcrs.join(', ')}`);
  const expected = pcrValues(measurements, judgedPcrs);
  if (said.pcrDigest.equals(digestOf(expected)))
    return {
      ok: true,
      pcrs: Object.fromEntries([...expected].map(([pcr, value]) => [pcr, value.toString('hex')])),
    };
  const accountsFor = (values: Map<number, Buffer>) => said.pcrDigest.equals(digestOf(values));
  return { ok: false, violations: explainDifference(measurements, eventLog, accountsFor) };
}

const wantedSelection = Buffer.concat([u32(1), selection(algorithm.sha256, judgedPcrs)]);

function refused(violation: string): MeasuredBootVerdict {
  return { ok: false, violations: [violation] };
}

function digestOf(values: Map<number, Buffer>): Buffer {
  return createHash('sha256')
    .update(Buffer.concat([...values.values()]))
    .digest();
}

function isSignedBy({ attested, signature }: Quote, key: KeyObject): boolean {
  try {
    const reader = readWire(signature);
    if (reader.u16() !== algorithm.ecdsa || reader.u16() !== algorithm.sha256) return false;
    const padded = (number: Buffer) => Buffer.concat([Buffer.alloc(32), number]).subarray(-32);
    const [r, s] = [padded(reader.sized()), padded(reader.sized())];
    return verify('sha256', attested, { key, dsaEncoding: 'ieee-p1363' }, Buffer.concat([r, s]));
  } catch {
    return false;
  }
}

function readAttested(attested: Buffer): { nonce: Buffer; selected: Buffer; pcrDigest: Buffer } | undefined {
  const reader = readWire(attested);
  if (reader.u32() !== generatedByTpm || reader.u16() !== attestationOfQuote) return undefined;
  reader.sized(); // the key's name
  const nonce = reader.sized();
  reader.bytes(17 + 8); // clock and version
  const selected = reader.bytes(wantedSelection.length);
  // Another selection may have another length, and then the rest cannot be read.
  return selected.equals(wantedSelection)
    ? { nonce, selected, pcrDigest: reader.sized() }
    : { nonce, selected, pcrDigest: Buffer.alloc(0) };
}
