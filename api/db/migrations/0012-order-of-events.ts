/** Events in the order in which they came and happened; what of the source host was already looked at. */
export const statements = [
  // Deliveries that are stored together have one time, and their order counts.
  'alter table webhook_delivery add column position bigserial',
  'drop index webhook_delivery_waiting',
  'create index webhook_delivery_waiting on webhook_delivery (position) where processed_at is null',
  `alter table branch_head
    -- What happened before this, by the source host's clock, is older than the head; null where it says no times.
    add column at timestamptz,
    -- The last delivery that was stored when the head was noted.
    add column position bigint not null default 0`,
  // When a pull request was changed so, by the source host's clock.
  'alter table build add column pull_request_at timestamptz',
  `alter table hook_binding
    -- Since when branches are compared; null before they were listed for the first time.
    add column compared_since timestamptz,
    -- Up to where the host's log of deliveries was dealt with.
    add column log_read_to timestamptz`,
  `update hook_binding set compared_since = reconciled_at, log_read_to = reconciled_at
    where exists (select from branch_head where hook_binding_id = hook_binding.id)`,
];
