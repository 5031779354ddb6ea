/** Logs sealed to their project; access grants, runs under them, and mails that tell of them. */
export const statements = [
  `alter table project
    -- Opens the project's logs; wrapped with a key that is derived from the API's master key. Null before the first log.
    add column wrapped_log_key bytea,
    -- Of a revoked project: when the key was destroyed, and when what it had sealed was deleted.
    add column logs_destroyed_at timestamptz,
    add column logs_erased_at timestamptz`,
  // What was promised to be gone is gone for projects that were revoked before, too.
  `update project set logs_destroyed_at = coalesce(revoked_at, now()) where wrapped_private_key is null`,
  `create index project_logs_to_erase on project (id) where logs_destroyed_at is not null and logs_erased_at is null`,
  // What was logged in the clear: of a chunk that is not sealed nobody could tell who wrote it.
  `delete from build_log`,
  `update build set log_size = 0`,
  `create table access_grant (
    id text primary key,
    team_id text not null references team,
    -- Null: every project of the team.
    project_id text references project,
    reason text not null,
    scope jsonb not null,
    notify jsonb not null,
    ends_at timestamptz not null,
    created_at timestamptz not null,
    created_by text not null,
    -- Written when its end was first seen, so that a clock that goes back does not revive it.
    ended_at timestamptz,
    deleted_at timestamptz
  )`,
  `create index access_grant_team on access_grant (team_id, id)`,
  `create index access_grant_live on access_grant (ends_at) where ended_at is null`,
  `alter table build
    add column access_grant_id text references access_grant,
    add column support_commands jsonb`,
  `create index build_access_grant on build (access_grant_id) where access_grant_id is not null`,
  `create table mail (
    id text primary key,
    team_id text not null references team,
    recipient text not null,
    subject text not null,
    body text not null,
    created_at timestamptz not null,
    -- When it is tried next; who tries puts it off first.
    due_at timestamptz not null,
    attempts integer not null default 0,
    sent_at timestamptz,
    given_up_at timestamptz
  )`,
  `create index mail_due on mail (due_at) where sent_at is null and given_up_at is null`,
  // Keys that could do all that a team can do are those of its owners.
  `update api_key set scopes = scopes || '["grants:write"]'::jsonb
    where scopes @> '["projects:read","projects:write","builds:read","builds:write","builds:approve","logs:read","receipts:read","audit:read"]'::jsonb`,
];
