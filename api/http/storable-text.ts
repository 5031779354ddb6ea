import type { FastifyReply, FastifyRequest } from 'fastify';
import { ProblemError } from './problem-error.ts';

/**
 * A preValidation hook that refuses text which PostgreSQL cannot keep: NUL, and half of a surrogate pair. JSON and
 * URLs can write both.
 *
 * @see https://www.postgresql.org/docs/current/datatype-json.html
 */
export async function requireStorableText(request: FastifyRequest, _reply: FastifyReply): Promise<void> {
  const inBody = findUnstorable(request.body, '#');
  if (inBody !== undefined) {
    const detail = `${nameOf(inBody)} holds a NUL character or half of a surrogate pair. Remove it, or encode the text, as base64 for instance.`;
    throw new ProblemError(422, 'validation_failed', detail, { errors: [{ pointer: inBody, detail }] });
  }
  if (findUnstorable([request.params, request.query], '#') !== undefined) {
    throw new ProblemError(
      400,
      'invalid_url',
      'The URL holds a NUL character. Remove it; no name or id has one.',
    );
  }
}

/** JSON Pointer of the first text that cannot be kept, names of members included. */
function findUnstorable(value: unknown, pointer: string): string | undefined {
  if (typeof value === 'string') return isStorable(value) ? undefined : pointer;
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return undefined;
  for (const [name, member] of Object.entries(value)) {
    if (!isStorable(name)) return pointer;
    const found = findUnstorable(member, `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

function nameOf(pointer: string): string {
  return pointer === '#' ? 'The body' : (pointer.split('/').at(-1) ?? pointer);
}
