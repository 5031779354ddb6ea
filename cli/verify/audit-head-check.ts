import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import Value from 'typebox/value';
import { type AuditEntry, AuditHead, SignedAuditHead } from '../../contract/audit.ts';
import { auditHeadType, canonicalJson, headOfEntry } from '../../contract/audit-chain.ts';
import {
  keyOf,
  preAuthenticationEncoding,
  problemOfPeriod,
  type ReceiptKey,
  strictBase64,
} from './check-envelope.ts';

/** Checks signatures of heads by a set of public keys. */
export interface HeadCheck {
  /** What is wrong with the signature of an entry, to complete "Entry 7 (line 7) …"; undefined when it is good. */
  entry(entry: AuditEntry): string | undefined;
  /** What a signed head says, or a sentence that tells why it does not hold. */
  head(signed: unknown): { head: AuditHead } | { problem: string };
  /** The keys that signed what was checked so far. */
  keyids(): string[];
}

/** @param jwks a JSON Web Key Set (RFC 7517); whatever else it is has no keys */
export function createHeadCheck(jwks: unknown): HeadCheck {
  const keys = new Map<string, HeadKey>();
  const find = (keyid: string) => {
    const key = keys.get(keyid) ?? loadKey(jwks, keyid);
    if (key) keys.set(keyid, key);
    return key;
  };
  const problemOf = (payload: Buffer, { keyid, sig }: AuditEntry['signature'], at: string) => {
    const key = find(keyid);
    if (!key) return `is signed with the key ${keyid}, which is none of the given keys.`;
    const bytes = strictBase64(sig);
    const signed = preAuthenticationEncoding(auditHeadType, payload);
    if (bytes && verify(null, signed, key.publicKey, bytes)) return problemOfPeriod(key.listed, at);
    return 'is not signed by Ebb: the signature does not fit, as when somebody without the key rewrote it.';
  };
  return {
    entry: (entry) => problemOf(Buffer.from(canonicalJson(headOfEntry(entry))), entry.signature, entry.at),
    head(signed) {
      if (!Value.Check(SignedAuditHead, signed))
        return { problem: 'It is no signed head of an audit trail.' };
      const payload = strictBase64(signed.payload);
      const [signature] = signed.signatures;
      if (!payload || !signature) return { problem: 'Its payload is not base64.' };
      const head = parse(payload);
      const at = Value.Check(AuditHead, head) ? head.at : '';
      const problem = problemOf(payload, signature, at);
      if (problem) return { problem: `It ${problem}` };
      return Value.Check(AuditHead, head) ? { head } : { problem: 'It is signed, but says something else.' };
    },
    keyids: () => [...keys.keys()],
  };
}

interface HeadKey {
  listed: ReceiptKey;
  publicKey: KeyObject;
}

function parse(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString());
  } catch {
    return undefined;
  }
}

function loadKey(jwks: unknown, keyid: string): HeadKey | undefined {
  try {
    const listed = keyOf(jwks, keyid);
    const { kty, crv, x } = listed;
    return { listed, publicKey: createPublicKey({ key: { kty, crv, x }, format: 'jwk' }) };
  } catch {
    return undefined;
  }
}
