/** What provenance and ramdisk statements tell of a build beyond its row. */
export const statements = [
  // What its runner was given, without values of secrets and environment; null while nobody was given anything.
  `alter table build add column parameters jsonb`,
  // What the runner told of the VM, and how the VM ended.
  `alter table build add column vm_report jsonb`,
  `alter table build add column vm_exit jsonb`,
  // A VM is used once: the first build and attempt that says it has it keeps it.
  `create table vm_use (
    vm text primary key,
    build_id text not null references build on delete cascade,
    attempt integer not null,
    at timestamptz not null
  )`,
];
