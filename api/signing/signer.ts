import type { AuditHead, SignedAuditHead } from '../../contract/audit.ts';
import type { DsseEnvelope } from '../../contract/receipt.ts';
import type { ReceiptStatement } from '../../contract/receipt-statement.ts';
import type { PublishedKey } from './published-key.ts';

/** The API's Ed25519 keys: one signs access tokens, another signs receipts, so that neither stands in for the other. */
export interface Signer {
  /** Signs a JWT (RFC 7519, EdDSA); `exp` comes from `expiresInSeconds`, `iat` is added, and `jti` if it has none. */
  signToken(claims: Record<string, unknown>, expiresInSeconds: number): Promise<string>;
  /** Verifies signature, issuer, audience and times; throws a jose error. */
  verifyToken(token: string): Promise<Record<string, unknown>>;
  /** Wraps an in-toto Statement in a signed DSSE envelope. */
  signStatement(statement: ReceiptStatement): DsseEnvelope;
  /** Signs the head of an audit chain with the receipt key, in an envelope of a type of its own. */
  signAuditHead(head: AuditHead): SignedAuditHead;
  /** Public keys, for /.well-known/jwks.json (RFC 7517): those in use, and every receipt key that ever was. */
  jwks(): { keys: PublishedKey[] };
}
