import { createPublicKey, verify } from 'node:crypto';
import { type Static, Type } from 'typebox';
import Value from 'typebox/value';
import { DsseEnvelope } from '../../contract/receipt.ts';
import { decide, FailedCheck, type Note } from './check.ts';

/** A key of Ebb's JWKS, with what verifying needs of it; docs/decisions/receipts.md tells its members. */
const ReceiptKey = Type.Object({
  kty: Type.Literal('OKP'),
  crv: Type.Literal('Ed25519'),
  x: Type.String(),
  kid: Type.String(),
  ebb_use: Type.String(),
  iat: Type.Optional(Type.Number()),
  exp: Type.Optional(Type.Number()),
});
export type ReceiptKey = Static<typeof ReceiptKey>;

/**
 * Checks that one of `jwks` that is for receipts signed this DSSE envelope, and gives the key and the bytes that were
 * signed. Throws FailedCheck.
 *
 * @see https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
 */
export function checkEnvelope(
  envelope: unknown,
  jwks: unknown,
  note: Note,
): { key: ReceiptKey; payload: Buffer } {
  if (!Value.Check(DsseEnvelope, envelope)) {
    const { seq, previous, end } = (envelope ?? {}) as { seq?: unknown; previous?: unknown; end?: unknown };
    if (envelope === undefined) throw new FailedCheck('envelope', 'It is not JSON.');
    if (end !== undefined || (seq !== undefined && previous !== undefined))
      throw new FailedCheck('envelope', 'It is of an audit trail: ebb verify audit FILE checks that.');
    throw new FailedCheck('envelope', 'It is no whole DSSE envelope with an in-toto payload.');
  }
  const payload = strictBase64(envelope.payload);
  const [signature, ...more] = envelope.signatures;
  if (!payload) throw new FailedCheck('envelope', 'Its payload is not base64.');
  if (!signature || more.length > 0) throw new FailedCheck('envelope', 'It must have exactly one signature.');
  note('envelope', `a DSSE envelope with one signature over ${payload.length} bytes of in-toto JSON`);
  const key = keyOf(jwks, signature.keyid);
  note('key', `${key.kid} is one of the given keys, and is for receipts`);
  const bytes = strictBase64(signature.sig);
  const signed = preAuthenticationEncoding(envelope.payloadType, payload);
  if (!bytes || !isSignedBy(key, signed, bytes)) {
    const problem = 'It does not fit: the receipt was changed, or somebody else signed it.';
    throw new FailedCheck('signature', problem);
  }
  note('signature', 'Ed25519, fits every byte of the payload');
  return { key, payload };
}

/** Checks that a key was in use at a time. Throws FailedCheck. */
export function checkPeriod(key: ReceiptKey, time: string, note: Note): void {
  const problem = problemOfPeriod(key, time);
  const since = key.iat === undefined ? 'since ever' : `since ${iso(key.iat)}`;
  const until = key.exp === undefined ? '' : ` until ${iso(key.exp)}`;
  decide(note, 'period', problem && `It ${problem}`, `signed at ${time}; its key is in use ${since}${until}`);
}

/** Why a key cannot have signed at a time, to complete a sentence; undefined when it was in use then. */
export function problemOfPeriod({ iat, exp, kid }: ReceiptKey, time: string): string | undefined {
  const seconds = Date.parse(time) / 1000;
  if (iat !== undefined && seconds < iat)
    return `says it was signed at ${time}, but ${kid} is in use since ${iso(iat)} only.`;
  if (exp !== undefined && seconds > exp)
    return `says it was signed at ${time}, but ${kid} was in use until ${iso(exp)} only.`;
  return undefined;
}

const iso = (seconds: number) => new Date(seconds * 1000).toISOString();

/** `DSSEv1 LENGTH TYPE LENGTH PAYLOAD`, lengths in bytes. */
export function preAuthenticationEncoding(type: string, payload: Buffer): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

function isSignedBy({ kty, crv, x }: ReceiptKey, bytes: Buffer, signature: Buffer): boolean {
  try {
    return verify(null, bytes, createPublicKey({ key: { kty, crv, x }, format: 'jwk' }), signature);
  } catch {
    return false;
  }
}

/** The Ed25519 key of an id (RFC 8037), which must be one for receipts. Throws FailedCheck. */
export function keyOf(jwks: unknown, keyid: string): ReceiptKey {
  const keys = (jwks as { keys?: unknown } | null | undefined)?.keys;
  if (!Array.isArray(keys)) throw new FailedCheck('key', 'What was given as keys is no JWKS.');
  const key: unknown = keys.find((candidate) => candidate?.kid === keyid);
  if (key === undefined)
    throw new FailedCheck('key', `It is signed with the key ${keyid}, which is none of the given keys.`);
  if (!Value.Check(ReceiptKey, key)) throw new FailedCheck('key', `The key ${keyid} is no key of Ebb.`);
  if (key.ebb_use !== 'receipt')
    throw new FailedCheck('key', `The key ${keyid} is for ${key.ebb_use}s, not for receipts.`);
  return key;
}

/** Bytes of canonical base64 alone, so that no two texts are the same receipt. */
export function strictBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}
