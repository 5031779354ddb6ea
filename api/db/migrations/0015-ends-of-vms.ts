/** Every VM of a project is known to its end, also those of attempts that were lost; a build that cannot be signed waits. */
export const statements = [
  `alter table vm_use
    -- When its runner said that it is gone, by the runner's clock.
    add column gone_at timestamptz,
    -- When it had been waited for so long that it must have ended itself; nobody saw it end.
    add column left_at timestamptz`,
  // VMs of before each use was kept.
  `insert into vm_use (vm, build_id, attempt, at)
    select vm, id, attempt, coalesce(vm_ready_at, started_at, queued_at) from build where vm is not null
    on conflict do nothing`,
  `update vm_use set gone_at = build.vm_gone_at from build
    where build.id = vm_use.build_id and build.attempt = vm_use.attempt and build.vm = vm_use.vm`,
  'create index vm_use_build on vm_use (build_id)',
  'create index vm_use_may_live on vm_use (vm) where gone_at is null and left_at is null',
  // When receipts that could not be signed are tried again.
  'alter table build add column receipt_retry_at timestamptz',
];
