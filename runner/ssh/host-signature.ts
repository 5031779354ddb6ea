import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { WireError, WireReader } from './wire.ts';

const ecdsaCurves: Record<string, { curve: string; hash: string; bytes: number }> = {
  'ecdsa-sha2-nistp256': { curve: 'P-256', hash: 'sha256', bytes: 32 },
  'ecdsa-sha2-nistp384': { curve: 'P-384', hash: 'sha384', bytes: 48 },
  'ecdsa-sha2-nistp521': { curve: 'P-521', hash: 'sha512', bytes: 66 },
};

// SHA-1 (`ssh-rsa`) is left out on purpose.
const rsaHashes: Record<string, string> = { 'rsa-sha2-256': 'sha256', 'rsa-sha2-512': 'sha512' };

/**
 * Verifies a signature by an SSH host key. `hostKey` is a raw public key blob, `signature` is in SSH's format
 * (algorithm name, then bytes). Knows ed25519, rsa-sha2-256/512 and ecdsa; anything else, or malformed, is false.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8709 https://www.rfc-editor.org/rfc/rfc8332
 * @see https://www.rfc-editor.org/rfc/rfc5656#section-3.1.2
 */
export function verifyHostSignature(hostKey: Buffer, data: Buffer, signature: Buffer): boolean {
  try {
    const key = new WireReader(hostKey);
    const signed = new WireReader(signature);
    const keyType = key.text();
    const algorithm = signed.text();
    const bytes = signed.string();
    if (!signed.atEnd) return false;
    if (keyType === 'ssh-ed25519') return verifyEd25519(key, algorithm, data, bytes);
    if (keyType === 'ssh-rsa') return verifyRsa(key, algorithm, data, bytes);
    return algorithm === keyType && verifyEcdsa(key, keyType, data, bytes);
  } catch (error) {
    if (error instanceof WireError || isCryptoError(error)) return false;
    throw error;
  }
}

function verifyEd25519(key: WireReader, algorithm: string, data: Buffer, bytes: Buffer): boolean {
  if (algorithm !== 'ssh-ed25519') return false;
  return verify(null, data, jwk({ kty: 'OKP', crv: 'Ed25519', x: base64url(key.string()) }), bytes);
}

function verifyRsa(key: WireReader, algorithm: string, data: Buffer, bytes: Buffer): boolean {
  const hash = rsaHashes[algorithm];
  if (hash === undefined) return false;
  const e = base64url(withoutSign(key.string()));
  const n = base64url(withoutSign(key.string()));
  return verify(hash, data, jwk({ kty: 'RSA', e, n }), bytes);
}

function verifyEcdsa(key: WireReader, keyType: string, data: Buffer, bytes: Buffer): boolean {
  const parameters = ecdsaCurves[keyType];
  if (parameters === undefined) return false;
  const { curve, hash, bytes: size } = parameters;
  key.string(); // The curve's name again.
  const point = key.string();
  if (point[0] !== 4 || point.length !== 1 + 2 * size) return false;
  const x = base64url(point.subarray(1, 1 + size));
  const y = base64url(point.subarray(1 + size));
  const pair = new WireReader(bytes);
  const rAndS = Buffer.concat([padded(pair.string(), size), padded(pair.string(), size)]);
  const publicKey = jwk({ kty: 'EC', crv: curve, x, y });
  return pair.atEnd && verify(hash, data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, rAndS);
}

function jwk(key: { kty: string; [member: string]: string }): KeyObject {
  return createPublicKey({ key, format: 'jwk' });
}

function base64url(bytes: Buffer): string {
  return bytes.toString('base64url');
}

/** An mpint's bytes without the zero that marks it positive. */
function withoutSign(mpint: Buffer): Buffer {
  return mpint[0] === 0 ? mpint.subarray(1) : mpint;
}

function padded(mpint: Buffer, size: number): Buffer {
  const bytes = withoutSign(mpint);
  if (bytes.length > size) throw new WireError('A number in the signature is too large.');
  return Buffer.concat([Buffer.alloc(size - bytes.length), bytes]);
}

function isCryptoError(error: unknown): boolean {
  return (
    error instanceof Error &&
    /^ERR_(CRYPTO|OSSL|INVALID_ARG)/.test(String((error as NodeJS.ErrnoException).code))
  );
}
