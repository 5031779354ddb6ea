import { type Scope, teamScopes, withParts } from './token.ts';

export const roles = ['viewer', 'maintainer', 'owner'] as const;
export type Role = (typeof roles)[number];

const reads: readonly Scope[] = [
  'projects:read',
  'builds:read',
  'logs:read',
  'receipts:read',
  'audit:read',
  'members:read',
];
const writes: readonly Scope[] = ['projects:write', 'builds:write', 'builds:approve'];

/** What a person may do in a team: a viewer reads, a maintainer works on projects and builds, an owner does everything. */
export const scopesOfRole: Readonly<Record<Role, readonly Scope[]>> = {
  viewer: reads,
  maintainer: withParts([...reads, ...writes]),
  owner: teamScopes,
};
