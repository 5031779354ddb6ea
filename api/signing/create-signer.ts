import {
  createHash,
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
import type { Signer } from './signer.ts';

const payloadType = 'application/vnd.in-toto+json';
const audience = 'ebb';

/**
 * @param options.tokenKey Ed25519 private JWK for access tokens
 * @param options.receiptKey Ed25519 private JWK for receipts
 * @param options.issuer the API's public address
 */
export function createSigner(options: {
  tokenKey: JsonWebKey;
  receiptKey: JsonWebKey;
  issuer: string;
}): Signer {
  const token = loadKey(options.tokenKey);
  const receipt = loadKey(options.receiptKey);
  const signOf = (type: string, payload: Buffer) => {
    const bytes = preAuthenticationEncoding(type, payload);
    return { keyid: receipt.id, sig: sign(null, bytes, receipt.privateKey).toString('base64') };
  };
  return {
    signToken: (claims, expiresInSeconds) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: token.id })
        .setIssuer(options.issuer)
        .setAudience(audience)
        .setIssuedAt()
        .setJti(randomUUID())
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
    jwks: () => ({
      keys: [
        { ...token.publicJwk, kid: token.id, alg: 'EdDSA', use: 'sig' },
        { ...receipt.publicJwk, kid: receipt.id, alg: 'EdDSA', use: 'sig', key_ops: ['verify'] },
      ],
    }),
  };
}

/** What DSSE signs: https://github.com/secure-systems-lab/dsse/blob/master/protocol.md */
function preAuthenticationEncoding(type: string, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload]);
}

interface LoadedKey {
  id: string;
  privateKey: KeyObject;
  publicKey: KeyObject;
  publicJwk: JsonWebKey;
}

function loadKey(jwk: JsonWebKey): LoadedKey {
  const privateKey = createPrivateKey({ key: jwk, format: 'jwk' });
  const publicKey = createPublicKey(privateKey);
  const publicJwk = publicKey.export({ format: 'jwk' });
  return { id: thumbprint(publicJwk), privateKey, publicKey, publicJwk };
}

/** RFC 7638, with the members that RFC 8037 names for OKP keys. */
function thumbprint({ crv, kty, x }: JsonWebKey): string {
  return createHash('sha256').update(JSON.stringify({ crv, kty, x })).digest('base64url');
}
