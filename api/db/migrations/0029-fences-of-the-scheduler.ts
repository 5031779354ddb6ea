/** Bounds and fences of the scheduler. */
export const statements = [
  // Of how many runners that were lost with it another one took a build over.
  'alter table build add column takeovers integer not null default 0',
  // Counts changes, so that the queue keeps the latest, whoever tells it first. What was set before counts as one.
  'alter table team add column share_version integer not null default 0',
  'alter table fleet add column share_version integer not null default 1',
  `update team set share_version = 1
   where weight <> 1 or build_limit is not null or paused_by_operator is not null or paused_by_team is not null`,
  'create index team_share_version on team (id) where share_version > 0',
];
