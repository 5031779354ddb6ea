/** Permissions of a GitHub App, as GitHub names them in its API. */
export type Permission = 'administration' | 'repository_hooks' | 'contents' | 'statuses' | 'metadata';
export type Permissions = Partial<Record<Permission, 'read' | 'write'>>;

/** All that Ebb ever does at GitHub, and so all that a credential should be able to do. */
export const neededPermissions: Permissions = {
  administration: 'write',
  repository_hooks: 'write',
  contents: 'read',
  statuses: 'write',
  metadata: 'read',
};

const labels: Record<Permission, string> = {
  administration: 'Administration',
  repository_hooks: 'Webhooks',
  contents: 'Contents',
  statuses: 'Commit statuses',
  metadata: 'Metadata',
};

/** As they are written on GitHub's pages: `Administration (write), Contents (read)`. */
export function namesOf(permissions: Permissions): string {
  return Object.entries(permissions)
    .map(([name, level]) => `${labels[name as Permission] ?? name} (${level})`)
    .join(', ');
}
