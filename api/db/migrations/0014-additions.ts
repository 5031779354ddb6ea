/** Revocations wait for what is being added at a source host. */
export const statements = [
  `create table addition (
    id text primary key,
    project_id text not null references project,
    -- When it is over at the latest, also where a crash or a timeout keeps its end from us.
    ends_at timestamptz not null
  )`,
  `create index addition_project on addition (project_id)`,
];
