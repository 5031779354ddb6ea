import { parseWrappedKey } from '../../contract/custody/key-wrapper.ts';
import type { ApiContext } from '../context.ts';
import { conflict } from '../http/problem-error.ts';

/** 409 `other_wrapping_key` unless it was wrapped by what the API wraps with, which every runner has by then. */
export function requireWrappingKey({ custody }: ApiContext, wrapped: string, field: string): void {
  if (parseWrappedKey(wrapped).id === custody.wrappingKey) return;
  throw conflict('other_wrapping_key', `The API wraps with ${custody.wrappingKey}.`, field);
}
