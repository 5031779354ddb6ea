/** Revocations of connections and teams, what holds them up, and keys and hooks that went at the source host. */
export const statements = [
  `alter table team add column revoking_at timestamptz, add column revoked_at timestamptz`,
  `alter table api_key
    -- The revocation of its team, which is all that it may read from then on, with its receipts.
    add column reads_only text,
    add column ends_at timestamptz`,
  `alter table connection add column revoking_at timestamptz`,
  `alter table revocation
    add column id text,
    add column kind text not null default 'project',
    -- Id and name of what is revoked.
    add column subject text,
    add column name text,
    add column team_id text references team,
    -- The revocation of the connection or team that this one is a part of, and is driven by.
    add column parent_id text,
    add column requested_by text not null default 'ebb',
    -- When the step that is under way began, and which attempt began it.
    add column under_way jsonb,
    add column obstacle jsonb,
    -- Who stated that key and hook were removed by hand, and when.
    add column stated jsonb,
    add column attempts integer not null default 0,
    -- Nobody but who asks goes on before; while somebody is at work it lies in the future.
    add column next_try_at timestamptz not null default now()`,
  `update revocation set
    id = 'rev_' || substr(project_id, 5),
    subject = project_id,
    name = project.name,
    team_id = project.team_id
    from project where project.id = revocation.project_id`,
  `alter table revocation
    drop constraint revocation_pkey,
    drop column project_id,
    alter column name set not null,
    alter column team_id set not null,
    add primary key (id)`,
  `create unique index revocation_subject on revocation (subject)`,
  `create index revocation_open on revocation (next_try_at) where finished_at is null`,
  `create index revocation_team on revocation (team_id, id)`,
  `create index revocation_parent on revocation (parent_id) where parent_id is not null`,
  `alter table receipt alter column project_id drop not null`,
  `alter table deploy_key
    -- When the reconciler last looked for it at the source host.
    add column looked_at timestamptz,
    -- When it was noticed that somebody had removed it there; null again when it is there again.
    add column revoked_at_source_host_at timestamptz,
    -- It is to go, and the source host did not let it go; its private half is destroyed.
    add column remove_again_at timestamptz`,
  `alter table hook_binding
    add column looked_at timestamptz,
    add column revoked_at_source_host_at timestamptz,
    add column remove_again_at timestamptz`,
];
