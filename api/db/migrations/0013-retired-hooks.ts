/** Hooks that are deleted here and were not seen to be gone at the source host. */
export const statements = [
  `create table retired_hook (
    -- That of the binding: the address that it posts to has it.
    id text primary key,
    project_id text not null references project,
    source_host_id text,
    retired_at timestamptz not null
  )`,
];
