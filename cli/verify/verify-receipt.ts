import { createPublicKey, type JsonWebKey, verify } from 'node:crypto';
import Value from 'typebox/value';
import { DsseEnvelope } from '../../contract/receipt.ts';
import { ReceiptStatement } from '../../contract/receipt-statement.ts';
import { problemOfStatement } from './statement-problem.ts';

export { describeReceipt } from './describe-receipt.ts';

export type Verdict =
  | { ok: true; statement: ReceiptStatement; keyid: string }
  | { ok: false; problem: string };

/**
 * Checks a receipt offline: its Ed25519 signature over the DSSE pre-authentication encoding by one of `jwks`, and
 * that what it states is complete and in order. Never throws; `problem` is a sentence.
 *
 * @see https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
 */
export function verifyReceipt({ envelope, jwks }: { envelope: unknown; jwks: unknown }): Verdict {
  if (!Value.Check(DsseEnvelope, envelope))
    return broken('It is not a DSSE envelope with an in-toto payload.');
  const payload = strictBase64(envelope.payload);
  if (!payload) return broken('Its payload is not base64.');
  const [signature, ...more] = envelope.signatures;
  if (!signature || more.length > 0) return broken('It must have exactly one signature.');
  const key = keyOf(jwks, signature.keyid);
  if (!key) return broken(`It is signed with the key ${signature.keyid}, which is none of the given keys.`);
  const bytes = strictBase64(signature.sig);
  if (!bytes || !isSignedBy(key, preAuthenticationEncoding(envelope.payloadType, payload), bytes)) {
    return broken('The signature does not fit: the receipt was changed, or somebody else signed it.');
  }
  const statement = parse(payload);
  if (!Value.Check(ReceiptStatement, statement)) return broken('Its payload is no receipt that Ebb signs.');
  const problem = problemOfStatement(statement);
  return problem === undefined ? { ok: true, statement, keyid: signature.keyid } : broken(problem);
}

/** `DSSEv1 LENGTH TYPE LENGTH PAYLOAD`, lengths in bytes. */
export function preAuthenticationEncoding(type: string, payload: Buffer): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

function isSignedBy(jwk: JsonWebKey, bytes: Buffer, signature: Buffer): boolean {
  try {
    return verify(null, bytes, createPublicKey({ key: jwk, format: 'jwk' }), signature);
  } catch {
    return false;
  }
}

/** An Ed25519 key by its id (RFC 8037). */
export function keyOf(jwks: unknown, keyid: string): JsonWebKey | undefined {
  const keys = (jwks as { keys?: unknown } | null | undefined)?.keys;
  if (!Array.isArray(keys)) return undefined;
  return keys.find((key) => key?.kid === keyid && key.kty === 'OKP' && key.crv === 'Ed25519');
}

/** Bytes of canonical base64 alone, so that no two texts are the same receipt. */
export function strictBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

function parse(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch {
    return undefined;
  }
}

function broken(problem: string): Verdict {
  return { ok: false, problem };
}
