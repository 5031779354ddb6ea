import { randomBytes } from 'node:crypto';

/** 256 random bits for a link or a cookie, in 43 characters. */
export function makeToken(): string {
  return randomBytes(32).toString('base64url');
}
