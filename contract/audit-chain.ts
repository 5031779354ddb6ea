import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { AuditEntry, AuditHead, SignedAuditHead } from './audit.ts';

/** What the first entry of a chain has as `previous`. */
export const chainStart = '0'.repeat(64);

export const auditHeadType: SignedAuditHead['payloadType'] = 'application/vnd.ebb.audit-head+json';

// Nothing else that Ebb hashes begins like this, so that no other document can stand in for an entry.
const domain = 'ebb audit entry v1\n';

/** The one text of a JSON value, whatever program wrote it. Throws when it is none: https://www.rfc-editor.org/rfc/rfc8785 */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('This value has no form in JSON.');
  return text;
}

/** SHA-256 of an entry, hexadecimal: over `ebb audit entry v1`, a line feed, and its other members as canonical JSON. */
export function hashOfEntry(entry: Omit<AuditEntry, 'hash' | 'signature'>): string {
  const { id, team, seq, previous, at, action, actor, subject, detail } = entry;
  const hashed = { id, team, seq, previous, at, action, actor, subject, detail };
  return createHash('sha256').update(domain).update(canonicalJson(hashed)).digest('hex');
}

/** What is signed for an entry: the head of the chain when it was the last. */
export function headOfEntry({ team, seq, hash, at }: AuditHead): AuditHead {
  return { team, seq, hash, at };
}

/** The head of the chain at an entry, in the envelope that GET /v1/audit-head gives. */
export function signedHeadOfEntry(entry: AuditEntry): SignedAuditHead {
  const payload = Buffer.from(canonicalJson(headOfEntry(entry)));
  return {
    payloadType: auditHeadType,
    payload: payload.toString('base64'),
    signatures: [entry.signature],
  };
}
