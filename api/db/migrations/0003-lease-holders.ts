/** Leases are held per claim, not per runner; a delivery is known by what it says too; secrets have versions. */
export const statements = [
  'alter table build rename column runner to lease_holder',
  'alter table webhook_delivery add column body_digest bytea',
  'create unique index webhook_delivery_body on webhook_delivery (hook_binding_id, body_digest)',
];
