import { createHash, randomBytes } from 'node:crypto';

/** 256 random bits for a link or a cookie, in 43 characters. */
export function makeToken(): string {
  return randomBytes(32).toString('base64url');
}

/** What is kept of a token; a fast hash is enough for 256 random bits. */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
