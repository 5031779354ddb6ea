/** Which keys the audit says were handed out for a rotation, so that a runner that asks again adds no entry. */
export const statements = [
  `create table key_release (
    project_id text not null references project on delete cascade,
    -- SHA-256 of to whom, for what and what.
    digest text not null,
    primary key (project_id, digest)
  )`,
];
