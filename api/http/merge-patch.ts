import type { TProperties } from 'typebox';

/**
 * Applies a JSON Merge Patch to the changeable attributes of a resource: null restores an attribute's default. Members
 * are replaced whole, maps too, because the resources declare them whole.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7396
 */
export function applyPatch<T extends object>(
  changeable: TProperties,
  current: T,
  patch: Record<string, unknown>,
): T {
  const changes = Object.entries(patch)
    .filter(([name]) => name in changeable)
    .map(([name, value]) => [
      name,
      value === null ? (changeable[name] as { default?: unknown }).default : value,
    ]);
  return { ...current, ...Object.fromEntries(changes) };
}
