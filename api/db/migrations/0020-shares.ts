/** What teams get of the machines, what of a project comes first, and what a newer push ends. */
export const statements = [
  `alter table team
    add column weight double precision not null default 1,
    add column build_limit integer,
    -- Why its builds wait, in the words of who paused them.
    add column paused_by_operator text,
    add column paused_by_team text`,
  `create table fleet (
    -- There is one row.
    one boolean primary key default true check (one),
    build_limit integer,
    drained boolean not null default false
  )`,
  'insert into fleet default values',
  `alter table project add column cancel_intermediate_builds text not null default 'none'`,
  `alter table build
    add column priority integer not null default 0,
    -- Why each attempt that was lost was.
    add column losses jsonb not null default '[]'`,
];
