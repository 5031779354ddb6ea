/** API keys that teams make by themselves. */
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
];
