/** Rotation of the key-encryption key, and of the key pairs of projects. */
export const statements = [
  `create table key_encryption_rotation (
    id text primary key,
    -- What wraps from here on, as wrapped keys name it. The last row is the one that counts.
    wrapping_key text not null,
    -- Teams with keys that another one had wrapped: they are told of the end.
    team_ids jsonb not null,
    began_at timestamptz not null,
    -- Null while a key is left that another one wrapped.
    finished_at timestamptz
  )`,
  `create table key_rotation (
    id text primary key,
    project_id text not null references project,
    state text not null,
    -- Why it failed.
    reason text,
    requested_at timestamptz not null,
    finished_at timestamptz
  )`,
  `create unique index key_rotation_waiting on key_rotation (project_id) where state = 'waiting'`,
];
