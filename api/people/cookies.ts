import type { FastifyReply } from 'fastify';
import type { ApiContext } from '../context.ts';

type CookieName = 'session' | 'sign_in' | 'github' | 'known';
type PublicUrl = Pick<ApiContext, 'publicUrl'>;

const form = /^[A-Za-z0-9_-]{43}$/;

/**
 * The token in a cookie of ours; undefined when there is none, and when there are two of the name, of which one was put there by
 * somebody else.
 */
export function readCookie(
  context: PublicUrl,
  header: string | undefined,
  name: CookieName,
): string | undefined {
  const prefix = `${fullName(context, name)}=`;
  const found = (header ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(prefix));
  const value = found[0]?.slice(prefix.length);
  return found.length === 1 && value !== undefined && form.test(value) ? value : undefined;
}

/** Sets a cookie that scripts cannot read and other sites' requests do not carry; an empty value ends it. */
export function setCookie(
  context: PublicUrl,
  reply: FastifyReply,
  name: CookieName,
  { value, maxAgeSeconds }: { value: string; maxAgeSeconds: number },
): void {
  const secure = isSecure(context) ? '; Secure' : '';
  const attributes = `Path=/; HttpOnly; SameSite=Lax; Max-Age=${maxAgeSeconds}${secure}`;
  reply.header('set-cookie', `${fullName(context, name)}=${value}; ${attributes}`);
}

/**
 * `__Host-` keeps hosts beside ours from setting it; browsers take it with Secure alone, so not on loopback.
 *
 * @see https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#name-the-__host-prefix
 */
function fullName(context: PublicUrl, name: CookieName): string {
  return `${isSecure(context) ? '__Host-' : ''}ebb_${name}`;
}

function isSecure({ publicUrl }: PublicUrl): boolean {
  return publicUrl.startsWith('https:');
}
