import type { Resource } from '../../contract/resource.ts';

/** The resource's name as a sentence has it: `deploy key`. */
export function spoken(resource: Resource): string {
  return resource.name.replaceAll('_', ' ');
}

/** The form of its natural id: `team/project/name`. */
export function naturalIdForm(resource: Resource): string {
  return ['team', ...resource.naturalId].join('/');
}

/** Whether a text has the form of the resource's identifiers. */
export function looksLikeId(resource: Resource, text: string): boolean {
  const { pattern } = (resource.computed.id ?? {}) as { pattern?: string };
  return pattern !== undefined && new RegExp(pattern).test(text);
}
