import {
  createPrivateKey,
  createPublicKey,
  type JsonWebKey,
  type KeyObject,
  randomUUID,
  sign,
} from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import { auditHeadType, canonicalJson } from '../../contract/audit-chain.ts';
import type { DsseEnvelope } from '../../contract/receipt.ts';
import { type PublishedKey, publish } from './published-key.ts';
import type { Signer } from './signer.ts';

const payloadType = 'application/vnd.in-toto+json';
const audience = 'ebb';

/**
 * @param options.tokenKey Ed25519 private JWK for access tokens
 * @param options.receiptKey Ed25519 private JWK for receipts; its `iat` says since when
 * @param options.otherReceiptKeys what is published besides: retired keys, and the next one
 * @param options.issuer the API's public address
 */
export function createSigner(options: {
  tokenKey: JsonWebKey;
  receiptKey: JsonWebKey;
  otherReceiptKeys?: PublishedKey[];
  issuer: string;
}): Signer {
  const token = loadKey(options.tokenKey, 'token');
  const receipt = loadKey(options.receiptKey, 'receipt');
  const signOf = (type: string, payload: Buffer) => {
    const bytes = preAuthenticationEncoding(type, payload);
    return { keyid: receipt.published.kid, sig: sign(null, bytes, receipt.privateKey).toString('base64') };
  };
  return {
    signToken: (claims, expiresInSeconds) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: token.published.kid })
        .setIssuer(options.issuer)
        .setAudience(audience)
        .setIssuedAt()
        .setJti(typeof claims.jti === 'string' ? claims.jti : randomUUID())
        .setExpirationTime(`${expiresInSeconds} seconds`)
        .sign(token.privateKey),
    async verifyToken(text) {
      const { payload } = await jwtVerify(text, token.publicKey, {
        algorithms: ['EdDSA'],
        issuer: options.issuer,
        audience,
        typ: 'at+jwt',
        requiredClaims: ['exp', 'sub', 'jti'],
      });
      return payload;
    },
    signStatement(statement): DsseEnvelope {
      const payload = Buffer.from(JSON.stringify(statement));
      return { payloadType, payload: payload.toString('base64'), signatures: [signOf(payloadType, payload)] };
    },
    signAuditHead(head) {
      const payload = Buffer.from(canonicalJson(head));
      const signatures = [signOf(auditHeadType, payload)];
      return { payloadType: auditHeadType, payload: payload.toString('base64'), signatures };
    },
    jwks: () => ({ keys: [token.published, receipt.published, ...(options.otherReceiptKeys ?? [])] }),
  };
}

/** What DSSE signs: https://github.com/secure-systems-lab/dsse/blob/master/protocol.md */
function preAuthenticationEncoding(type: string, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload]);
}

interface LoadedKey {
  privateKey: KeyObject;
  publicKey: KeyObject;
  published: PublishedKey;
}

function loadKey(jwk: JsonWebKey, use: PublishedKey['ebb_use']): LoadedKey {
  const privateKey = createPrivateKey({ key: jwk, format: 'jwk' });
  return { privateKey, publicKey: createPublicKey(privateKey), published: publish(jwk, use) };
}
