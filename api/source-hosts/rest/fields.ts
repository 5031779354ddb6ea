import { SourceHostError } from '../errors.ts';
import type { RestAnswer } from './rest-error.ts';

/** The answer's body as an object; throws `unreachable` when it is none: then something else than the host answered. */
export function objectOf({ body }: RestAnswer): Record<string, unknown> {
  if (typeof body === 'object' && body !== null && !Array.isArray(body))
    return body as Record<string, unknown>;
  throw notUnderstood();
}

/** The answer's body as a list of objects. */
export function listOf({ body }: RestAnswer): Record<string, unknown>[] {
  if (Array.isArray(body) && body.every((item) => typeof item === 'object' && item !== null)) return body;
  throw notUnderstood();
}

/** A field that must be a text. */
export function textOf(object: Record<string, unknown>, field: string): string {
  const value = object[field];
  if (typeof value === 'string') return value;
  throw notUnderstood();
}

/** A field that must be an id: a number or a text. */
export function idOf(object: Record<string, unknown>, field = 'id'): string {
  const value = object[field];
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  if (typeof value === 'string' && /^[\w.:-]{1,100}$/.test(value)) return value;
  throw notUnderstood();
}

/** The object in a field; empty when there is none. */
export function inner(object: Record<string, unknown>, field: string): Record<string, unknown> {
  const value = object[field];
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function notUnderstood(): SourceHostError {
  const message = "The source host's answer is not what its API promises. Is url the address of the host?";
  return new SourceHostError('unreachable', message);
}
