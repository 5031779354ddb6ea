import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ProblemError } from './problem-error.ts';

/**
 * A validator for exactly this content (RFC 9110, section 8.8.3).
 *
 * @param version of what the representation does not show, such as a secret's value: 1 when it was made
 */
export function etagOf(representation: unknown, version = 1): string {
  const text = JSON.stringify(representation, inOrder) + (version > 1 ? version : '');
  return `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;
}

/** What was kept in a jsonb column comes back with its members in another order and is the same content. */
function inOrder(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Answers with a representation and its ETag. */
export function sendRepresentation<T>(reply: FastifyReply, representation: T, version?: number): T {
  reply.header('etag', etagOf(representation, version));
  return representation;
}

/** Throws 412 when the request says which content it changes and that content is no longer there. */
export function requireMatch(request: FastifyRequest, current: unknown, version?: number): void {
  const wanted = request.headers['if-match'];
  if (wanted === undefined || wanted === '*') return;
  const tags = wanted.split(',').map((tag) => tag.trim());
  if (!tags.includes(etagOf(current, version))) {
    throw new ProblemError(
      412,
      'changed_meanwhile',
      'Somebody changed this since you read it. Read it again and repeat your change.',
    );
  }
}
