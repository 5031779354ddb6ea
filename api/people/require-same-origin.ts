import type { FastifyRequest } from 'fastify';
import { ProblemError } from '../http/problem-error.ts';

const reading = new Set(['GET', 'HEAD']);

/**
 * 403 for a request that changes something and was not made by a page of this Ebb: a browser sends the cookie along
 * whoever made it ask. 415 for a body that a form of another site could send.
 *
 * @see https://www.w3.org/TR/fetch-metadata/
 */
export function requireSameOrigin({ method, headers }: FastifyRequest, publicUrl: string): void {
  if (reading.has(method)) return;
  const { origin } = headers;
  const isOurs =
    origin === undefined ? headers['sec-fetch-site'] === 'same-origin' : origin === new URL(publicUrl).origin;
  if (!isOurs)
    throw new ProblemError(
      403,
      'wrong_origin',
      `With a cookie, what changes something must come from a page of ${publicUrl}: Origin must say so, or Sec-Fetch-Site same-origin.`,
    );
  const type = headers['content-type'];
  if (type !== undefined && !/^application\/(merge-patch\+)?json\s*(;|$)/i.test(type))
    throw new ProblemError(415, 'unsupported_media_type', 'With a cookie, a body must be application/json.');
}

/** 403 for a navigation to an address that only our own pages, and who types it, may lead to. */
export function refuseOtherSites({ headers }: FastifyRequest, publicUrl: string): void {
  const site = headers['sec-fetch-site'];
  if (site === undefined || site === 'same-origin' || site === 'none') return;
  throw new ProblemError(403, 'wrong_origin', `Another site led here. Begin at ${publicUrl}/sign-in.`);
}
