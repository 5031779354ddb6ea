/** What a team says of itself, and who may make owners. */
export const statements = [
  `alter table team
    -- How many of its builds may run at once, as it says itself.
    add column limit_by_team integer,
    -- Of DELETE /v1/team alone: revoking by name is explicit enough.
    add column deletion_protection boolean not null default true`,
  // Who had every scope that there was could make owners, and can go on; nobody else gets it by itself.
  `update api_key set scopes = scopes || '["owners:write"]'::jsonb
    where scopes @> '["projects:read", "projects:write", "builds:read", "builds:write", "builds:approve", "logs:read",
      "receipts:read", "audit:read", "grants:write", "keys:read", "keys:write", "members:read", "members:write",
      "team:revoke"]'::jsonb`,
];
