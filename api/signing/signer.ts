import type { AuditHead, SignedAuditHead } from '../../contract/audit.ts';
import type { DsseEnvelope } from '../../contract/receipt.ts';
import type { ReceiptStatement } from '../../contract/receipt-statement.ts';
import type { PublishedKey } from './published-key.ts';

/** The API's Ed25519 key for receipts and the audit trail. Tokens are signed by others, so that neither stands in for the other. */
export interface Signer {
  /** Wraps an in-toto Statement in a signed DSSE envelope. */
  signStatement(statement: ReceiptStatement): DsseEnvelope;
  /** Signs the head of an audit chain with the receipt key, in an envelope of a type of its own. */
  signAuditHead(head: AuditHead): SignedAuditHead;
  /** Public halves, for /.well-known/jwks.json (RFC 7517): that of the key in use, and of every one that ever was. */
  jwks(): { keys: PublishedKey[] };
}
