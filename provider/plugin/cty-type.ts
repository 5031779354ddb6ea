/**
 * A type of Terraform's type system in its JSON form, as schemas carry it.
 *
 * @see https://github.com/zclconf/go-cty/blob/main/docs/json.md
 */
export type CtyType =
  | 'string'
  | 'number'
  | 'bool'
  | 'dynamic'
  | readonly ['list', CtyType]
  | readonly ['set', CtyType]
  | readonly ['map', CtyType]
  | readonly ['tuple', readonly CtyType[]]
  | readonly ['object', { readonly [name: string]: CtyType }];

/** How deep values and types may nest: more would exhaust the stack. */
export const maximumDepth = 500;

/** The type that a dynamic value brought. Throws `TypeError` when it is none, or nested too deeply. */
export function asCtyType(json: unknown, depth = 0): CtyType {
  if (depth > maximumDepth) throw new TypeError('The type is nested too deeply.');
  if (json === 'string' || json === 'number' || json === 'bool' || json === 'dynamic') return json;
  const [kind, of] = Array.isArray(json) ? json : [];
  if (kind === 'list' || kind === 'set' || kind === 'map') return [kind, asCtyType(of, depth + 1)];
  if (kind === 'tuple' && Array.isArray(of)) return [kind, of.map((item) => asCtyType(item, depth + 1))];
  if (kind === 'object' && typeof of === 'object' && of !== null && !Array.isArray(of)) {
    const attributes = Object.entries(of).map(([name, item]) => [
      name.toWellFormed(),
      asCtyType(item, depth + 1),
    ]);
    return [kind, Object.fromEntries(attributes)];
  }
  throw new TypeError('A dynamic value came with something that is no type.');
}
