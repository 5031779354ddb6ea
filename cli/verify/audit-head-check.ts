import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import Value from 'typebox/value';
import { type AuditEntry, AuditHead, SignedAuditHead } from '../../contract/audit.ts';
import { auditHeadType, canonicalJson, headOfEntry } from '../../contract/audit-chain.ts';
import { keyOf, preAuthenticationEncoding, strictBase64 } from './check-envelope.ts';

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
  const keys = new Map<string, KeyObject>();
  const find = (keyid: string) => {
    const key = keys.get(keyid) ?? loadKey(jwks, keyid);
    if (key) keys.set(keyid, key);
    return key;
  };
  const problemOf = (payload: Buffer, { keyid, sig }: AuditEntry['signature']) => {
    const key = find(keyid);
    if (!key) return `is signed with the key ${keyid}, which is none of the given keys.`;
    const bytes = strictBase64(sig);
    if (bytes && verify(null, preAuthenticationEncoding(auditHeadType, payload), key, bytes))
      return undefined;
    return 'is not signed by Ebb: the signature does not fit, as when somebody without the key rewrote it.';
  };
  return {
    entry: (entry) => problemOf(Buffer.from(canonicalJson(headOfEntry(entry))), entry.signature),
    head(signed) {
      if (!Value.Check(SignedAuditHead, signed))
        return { problem: 'It is no signed head of an audit trail.' };
      const payload = strictBase64(signed.payload);
      const [signature] = signed.signatures;
      if (!payload || !signature) return { problem: 'Its payload is not base64.' };
      const problem = problemOf(payload, signature);
      if (problem) return { problem: `It ${problem}` };
      const head: unknown = JSON.parse(payload.toString());
      return Value.Check(AuditHead, head) ? { head } : { problem: 'It is signed, but says something else.' };
    },
    keyids: () => [...keys.keys()],
  };
}

function loadKey(jwks: unknown, keyid: string): KeyObject | undefined {
  try {
    const { kty, crv, x } = keyOf(jwks, keyid);
    return createPublicKey({ key: { kty, crv, x }, format: 'jwk' });
  } catch {
    return undefined;
  }
}
