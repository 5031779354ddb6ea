import { createPrivateKey, type JsonWebKey } from 'node:crypto';
import { type PublishedKey, publish } from './published-key.ts';

/** The keys of an API process. Every process of one installation has the same. */
export interface ApiKeys {
  tokenKey: JsonWebKey;
  receiptKey: JsonWebKey;
  /** Public halves of what receipts were signed with before, and of what they will be signed with next. */
  otherReceiptKeys: PublishedKey[];
  /** 32 bytes from which the secrets of hooks are derived. */
  hookMasterKey: Buffer;
}

/** The same as text: two private Ed25519 JWKs, a JWKS (or nothing) and 32 bytes in Base64. */
export type ApiKeyTexts = Record<keyof ApiKeys, string>;

/** Throws when a text is no key; judge them before. */
export function parseApiKeys(texts: ApiKeyTexts): ApiKeys {
  const tokenKey = toEd25519(texts.tokenKey);
  const receiptKey = toEd25519(texts.receiptKey);
  const otherReceiptKeys = toPublicKeys(texts.otherReceiptKeys);
  const hookMasterKey = toMasterKey(texts.hookMasterKey);
  if (!tokenKey || !receiptKey || !otherReceiptKeys || !hookMasterKey)
    throw new Error('A key of the API cannot be used.');
  return { tokenKey, receiptKey, otherReceiptKeys, hookMasterKey };
}

/** Undefined when the text is no private Ed25519 JWK. */
export function toEd25519(text: string): JsonWebKey | undefined {
  try {
    const jwk = JSON.parse(text) as JsonWebKey;
    return createPrivateKey({ key: jwk, format: 'jwk' }).asymmetricKeyType === 'ed25519' ? jwk : undefined;
  } catch {
    // The parser's own message would show a part of the key.
    return undefined;
  }
}

/** Undefined when the text is no JWKS of public Ed25519 keys; nothing is none. */
export function toPublicKeys(text: string): PublishedKey[] | undefined {
  if (text === '') return [];
  try {
    const { keys } = JSON.parse(text) as { keys: JsonWebKey[] };
    return keys.some((key) => key.d !== undefined) ? undefined : keys.map((key) => publish(key, 'receipt'));
  } catch {
    return undefined;
  }
}

/** Undefined when the text is not 32 bytes in Base64. */
export function toMasterKey(text: string): Buffer | undefined {
  const key = Buffer.from(text, 'base64');
  return key.length === 32 ? key : undefined;
}
