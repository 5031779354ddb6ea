/** Logs sealed to their project. */
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
  `alter table build_log add column sealed boolean not null default false`,
  `create index build_log_clear on build_log (build_id) where not sealed`,
];
