/** Source hosts of others: events that wait, pull requests, commit statuses, heads of branches, rotation, audit. */
export const statements = [
  `alter table connection
    add column ssh_address text,
    -- When the source host was last asked for its host keys.
    add column checked_at timestamptz`,
  `update connection set ssh_host_keys = null where ssh_host_keys = 'null'::jsonb`,
  `alter table hook_binding
    add column tags jsonb not null default '[]',
    add column events jsonb not null default '["push", "pull_request"]',
    -- The repository's own id at the source host, which a rename does not change; null where it has none.
    add column repository_id text,
    -- When deliveries and branch heads were last compared with the source host; null before the first time.
    add column reconciled_at timestamptz`,
  `alter table webhook_delivery
    add column event_name text not null default 'push',
    add column ref text,
    add column commit text,
    -- What it said, until it is dealt with. Nothing of the body is kept after that.
    add column event jsonb,
    add column processed_at timestamptz,
    add column reason text`,
  `update webhook_delivery set processed_at = received_at`,
  `create index webhook_delivery_waiting on webhook_delivery (received_at) where processed_at is null`,
  `create index webhook_delivery_commit on webhook_delivery (hook_binding_id, ref, commit)`,
  `create table branch_head (
    hook_binding_id text not null references hook_binding on delete cascade,
    branch text not null,
    commit text not null,
    -- True when it was asked for: the webhook of this commit may still come, and starts nothing then.
    asked boolean not null,
    primary key (hook_binding_id, branch)
  )`,
  `alter table build
    add column ref text not null default '',
    add column pull_request integer,
    add column from_fork boolean not null default false,
    -- The commit status at the source host is due while it is older than the build.
    add column status_version integer not null default 0,
    add column status_reported integer not null default 0,
    add column status_failures integer not null default 0,
    add column status_retry_at timestamptz`,
  `update build set ref = 'refs/heads/' || branch`,
  `create index build_status_due on build (status_retry_at) where status_reported < status_version`,
  `create index build_pull_request on build (project_id, pull_request) where pull_request is not null`,
  `alter table deploy_key add column rotation text, add column version integer not null default 1`,
  `create table retired_deploy_key (
    id text primary key,
    project_id text not null references project,
    fingerprint text not null,
    public_key text not null,
    -- Null where it is not known whether it came to the source host at all.
    source_host_id text,
    retired_at timestamptz not null
  )`,
  `create table audit_event (
    id text primary key,
    team_id text not null references team,
    at timestamptz not null,
    action text not null,
    actor text not null,
    subject text not null,
    detail jsonb not null
  )`,
  `create index audit_event_team on audit_event (team_id, id)`,
];
