import type { Resource } from '../../contract/resource.ts';

/** What to do in Terraform with a thing that is there already, as the beginning of a sentence. */
export function howToImport(
  { name, naturalId }: Pick<Resource, 'name' | 'naturalId'>,
  team: string,
  names: { readonly [part: string]: string },
): string {
  const id = [team, ...naturalId.map((part) => names[part])].join('/');
  return `Import it (terraform import ebb_${name}.NAME ${id})`;
}
