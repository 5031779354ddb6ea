import { createHash } from 'node:crypto';

/** What is kept of an API key, or of the token of a link or cookie; a fast hash is enough for 256 random bits. */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
