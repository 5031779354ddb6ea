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
