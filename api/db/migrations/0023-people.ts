/** API keys that teams make by themselves; people, who sign in by links that are mailed to them, and their teams. */
export const statements = [
  `alter table api_key
    -- A row that is no key which somebody holds has a hash of random bytes that nobody saw.
    add column kind text not null default 'key',
    -- Null: its tokens are good for every project of the team.
    add column project_id text references project,
    -- As the audit trail names who made it; null for those of before.
    add column created_by text,
    add column last_used_at timestamptz`,
  `update api_key set kind = 'workload' where id in (select api_key_id from workload_identity)`,
  `create index api_key_team on api_key (team_id, id)`,
  `create table person (
    id text primary key,
    -- Lower case; null of an account that was deleted.
    email text unique,
    created_at timestamptz not null,
    deleted_at timestamptz
  )`,
  // Whoever asks is noted, of what address ever; the link is made later, for who may have one.
  `create table sign_in (
    id text primary key,
    email text not null,
    -- SHA-256 of the cookie of the browser that asked.
    browser_hash bytea not null,
    token_hash bytea unique,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    answered_at timestamptz
  )`,
  `create index sign_in_open on sign_in (id) where answered_at is null`,
  `create index sign_in_expires on sign_in (expires_at)`,
  `create table session (
    id text primary key,
    person_id text not null references person,
    token_hash bytea not null unique,
    created_at timestamptz not null,
    seen_at timestamptz not null
  )`,
  // Of who is to sign in by another address: both must agree.
  `create table address_change (
    id text primary key,
    person_id text not null unique references person,
    email text not null,
    old_hash bytea not null,
    new_hash bytea not null,
    old_confirmed boolean not null default false,
    new_confirmed boolean not null default false,
    expires_at timestamptz not null
  )`,
  `create index session_person on session (person_id, id)`,
  `create table team_member (
    -- Of the API key that nobody holds and that is ended with the team's.
    id text primary key references api_key,
    team_id text not null references team,
    person_id text not null references person,
    role text not null,
    created_at timestamptz not null,
    ended_at timestamptz
  )`,
  `create unique index team_member_once on team_member (person_id, team_id) where ended_at is null`,
  `create index team_member_team on team_member (team_id, id)`,
  `create table invitation (
    id text primary key,
    team_id text not null references team,
    email text not null,
    role text not null,
    token_hash bytea not null unique,
    created_at timestamptz not null,
    -- As the audit trail names who made it.
    created_by text not null,
    expires_at timestamptz not null,
    accepted_at timestamptz,
    revoked_at timestamptz
  )`,
  `create index invitation_team on invitation (team_id, id)`,
  `create index invitation_email on invitation (email)`,
  // Who could give keys and grants can choose members, and who could revoke the team still can.
  `update api_key set scopes = scopes || '["members:read", "members:write"]'::jsonb
    where scopes @> '["keys:write", "grants:write"]'::jsonb`,
  `update api_key set scopes = scopes || '["team:revoke"]'::jsonb where scopes @> '["projects:write"]'::jsonb`,
  `alter table mail
    alter column team_id drop not null,
    -- A link that opens something; gone once it is sent.
    add column sealed_link bytea,
    -- When it is of no use any more.
    add column expires_at timestamptz`,
];
