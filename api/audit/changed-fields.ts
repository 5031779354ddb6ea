import { isDeepStrictEqual } from 'node:util';

/** Names of the members that differ, for an audit entry: a value may be a secret, its name is none. */
export function changedFields<T extends object>(before: T, after: T): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])] as (keyof T & string)[];
  return names.filter((name) => !isDeepStrictEqual(before[name], after[name])).sort();
}
