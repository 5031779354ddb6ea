import { createPrivateKey, type JsonWebKey, sign } from 'node:crypto';
import { auditHeadType, canonicalJson } from '../../contract/audit-chain.ts';
import type { DsseEnvelope } from '../../contract/receipt.ts';
import { type PublishedKey, publish } from './published-key.ts';
import type { Signer } from './signer.ts';

const payloadType = 'application/vnd.in-toto+json';

/**
 * @param options.receiptKey Ed25519 private JWK for receipts; its `iat` says since when
 * @param options.otherReceiptKeys what is published besides: retired keys, and the next one
 */
export function createSigner(options: { receiptKey: JsonWebKey; otherReceiptKeys?: PublishedKey[] }): Signer {
  const privateKey = createPrivateKey({ key: options.receiptKey, format: 'jwk' });
  const published = publish(options.receiptKey, 'receipt');
  const signOf = (type: string, payload: Buffer) => {
    const bytes = preAuthenticationEncoding(type, payload);
    return { keyid: published.kid, sig: sign(null, bytes, privateKey).toString('base64') };
  };
  return {
    signStatement(statement): DsseEnvelope {
      const payload = Buffer.from(JSON.stringify(statement));
      return { payloadType, payload: payload.toString('base64'), signatures: [signOf(payloadType, payload)] };
    },
    signAuditHead(head) {
      const payload = Buffer.from(canonicalJson(head));
      const signatures = [signOf(auditHeadType, payload)];
      return { payloadType: auditHeadType, payload: payload.toString('base64'), signatures };
    },
    jwks: () => ({ keys: [published, ...(options.otherReceiptKeys ?? [])] }),
  };
}

/** What DSSE signs: https://github.com/secure-systems-lab/dsse/blob/master/protocol.md */
function preAuthenticationEncoding(type: string, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload]);
}
