/** Which reports of a runner about keys are in the audit already; and who had the claims of a build. */
export const statements = [
  `create table custody_event (
    build_id text not null references build on delete cascade,
    attempt integer not null,
    number integer not null,
    primary key (build_id, attempt, number)
  )`,
  `alter table build add column spent_leases jsonb not null default '[]'`,
];
