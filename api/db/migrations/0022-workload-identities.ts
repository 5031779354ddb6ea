/**
 * Workloads that show tokens of other issuers. Each has an API key whose secret nobody knows: what ends keys ends
 * them too.
 */
export const statements = [
  `create table workload_identity (
    id text primary key,
    api_key_id text not null references api_key,
    team_id text not null references team,
    name text not null,
    project_id text references project,
    issuer text not null,
    audience text not null,
    claims jsonb not null,
    version integer not null default 1,
    created_at timestamptz not null,
    unique (team_id, name)
  )`,
  // Who could do everything for a team can make keys for it, too.
  `update api_key set scopes = scopes || '["keys:read", "keys:write"]'::jsonb
    where scopes @> '["projects:write", "builds:write", "builds:approve", "audit:read", "grants:write"]'::jsonb`,
];
