import type { TSchema } from 'typebox';

/** Whether a declared attribute may be left out. */
export function isOptional(schema: TSchema): boolean {
  return '~optional' in schema;
}
