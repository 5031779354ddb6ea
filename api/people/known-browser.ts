import { createHmac, timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiContext } from '../context.ts';
import { readCookie, setCookie } from './cookies.ts';

type Context = Pick<ApiContext, 'custody' | 'publicUrl'>;

/** As long as browsers keep any cookie (draft-ietf-httpbis-rfc6265bis, section 5.5). */
const keptSeconds = 400 * 24 * 3600;

/**
 * Lets a browser in which an address was shown to be somebody's be known by that from now on, so that strangers who ask for
 * links to the address do not use up those of its owner. It opens nothing and does not tell the address.
 *
 * @see https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies
 */
export function rememberBrowser(context: Context, reply: FastifyReply, email: string): void {
  setCookie(context, reply, 'known', { value: markOf(context, email), maxAgeSeconds: keptSeconds });
}

/** Whether somebody signed in to the address, in its normal form, in the browser that asks. */
export function isKnownBrowser(context: Context, { headers }: FastifyRequest, email: string): boolean {
  const shown = readCookie(context, headers.cookie, 'known');
  return shown !== undefined && timingSafeEqual(Buffer.from(shown), Buffer.from(markOf(context, email)));
}

/** 43 characters. */
function markOf({ custody }: Context, email: string): string {
  const key = custody.knownBrowserKey();
  try {
    return createHmac('sha256', key).update(email).digest('base64url');
  } finally {
    key.fill(0);
  }
}
