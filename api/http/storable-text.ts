import type { FastifyReply, FastifyRequest } from 'fastify';
import { ProblemError } from './problem-error.ts';

// More than anything that is declared here has; what is judged next takes longer than its length.
const maxDepth = 32;
const maxMembers = 1_000;

/**
 * A preValidation hook that refuses what is nested too deeply or has too many members, and text which PostgreSQL cannot
 * keep: NUL, and half of a surrogate pair. JSON and URLs can write both.
 *
 * @see https://www.postgresql.org/docs/current/datatype-json.html
 */
export async function requireStorableText(request: FastifyRequest, _reply: FastifyReply): Promise<void> {
  requireModestSize(request.body, '#', 0);
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

function requireModestSize(value: unknown, pointer: string, depth: number): void {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return;
  const members = Object.entries(value);
  const problem =
    depth > maxDepth
      ? `is nested more than ${maxDepth} levels deep`
      : members.length > maxMembers
        ? `has more than ${maxMembers} members`
        : undefined;
  if (problem !== undefined) {
    const detail = `${nameOf(pointer)} ${problem}. Send less at once.`;
    throw new ProblemError(422, 'validation_failed', detail, { errors: [{ pointer, detail }] });
  }
  for (const [name, member] of members) requireModestSize(member, childOf(pointer, name), depth + 1);
}

/** JSON Pointer of the first text that cannot be kept, names of members included. */
function findUnstorable(value: unknown, pointer: string): string | undefined {
  if (typeof value === 'string') return isStorable(value) ? undefined : pointer;
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return undefined;
  for (const [name, member] of Object.entries(value)) {
    if (!isStorable(name)) return pointer;
    const found = findUnstorable(member, childOf(pointer, name));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** See RFC 6901. */
function childOf(pointer: string, name: string): string {
  return `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

function nameOf(pointer: string): string {
  return pointer === '#' ? 'The body' : (pointer.split('/').at(-1) ?? pointer);
}
