import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';
import type { WebhookRefusal, WebhookRequest } from './webhook-event.ts';

const skipMarkers = /\[(skip ci|ci skip|no ci|skip ebb|ebb skip)\]/i;
const skipTrailer = /^skip-checks:\s*true\s*$/im;

/** Whether a commit's whole message asks for no build, in one of the ways that source hosts share. */
export function asksToSkip(message: unknown): boolean {
  return typeof message === 'string' && (skipMarkers.test(message) || skipTrailer.test(message));
}

/**
 * Checks the HMAC-SHA256 of the body in constant time. `pattern` has the hexadecimal digest as its first group; `header`
 * is named as people write it.
 */
export function refuseUnsigned(
  { headers, body, secret }: WebhookRequest,
  header: string,
  pattern: RegExp,
): WebhookRefusal | undefined {
  const value = headers[header.toLowerCase()];
  if (value === undefined) return refuse('signature_missing', `The header ${header} is missing.`);
  const [, hex] = pattern.exec(String(value)) ?? [];
  // Bytes that are no key object yet are tried as other kinds of keys first.
  const expected = createHmac('sha256', createSecretKey(secret)).update(body).digest();
  if (hex !== undefined && secret.length > 0 && hex.length === 64) {
    if (timingSafeEqual(Buffer.from(hex, 'hex'), expected)) return undefined;
  }
  return refuse('signature_invalid', `${header} does not fit the body and the secret of this hook.`);
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The body as a JSON object; undefined when it is none, or not UTF-8. */
export function parseObject(body: Buffer): JsonObject | undefined {
  try {
    return asObject(JSON.parse(utf8.decode(body)));
  } catch {
    return undefined;
  }
}

export type JsonObject = Record<string, unknown>;

export function asObject(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : undefined;
}

export function isObjectId(value: unknown): value is string {
  return typeof value === 'string' && /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(value);
}

export function isZeros(objectId: string): boolean {
  return /^0+$/.test(objectId);
}

/** A full ref of a branch or tag that can be stored. */
export function isRef(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    /^refs\/(heads|tags)\/[^\0-\x20\x7f]{1,400}$/.test(value) &&
    value.isWellFormed()
  );
}

/** The first line of a text, at most 500 characters, without what no database stores. */
export function firstLine(value: unknown): string {
  if (typeof value !== 'string') return '';
  const [line = ''] = value.slice(0, 2_000).split('\n', 1);
  return (
    line
      .replace(/\p{Cc}/gu, ' ')
      .trim()
      .slice(0, 500)
      // Last, because a cut may leave half a character.
      .toWellFormed()
  );
}

/** A time as RFC 3339 in UTC, of such a text or of seconds since 1970; undefined when it is neither. */
export function timeOf(value: unknown): string | undefined {
  const time = new Date(typeof value === 'number' ? value * 1000 : typeof value === 'string' ? value : NaN);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}

/** An id that a source host gave: number or word; undefined when it is neither. */
export function idOf(value: unknown): string | undefined {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  return typeof value === 'string' && /^[\w.:-]{1,100}$/.test(value) ? value : undefined;
}

/** A hook's secret as source hosts take it: they sign with the bytes of this text. */
export function hookSecretText(secret: Buffer): string {
  return secret.toString('base64url');
}

export function refuse(code: WebhookRefusal['code'], message: string): WebhookRefusal {
  return { code, message };
}
