/** Keys are forgotten by age. A step of its own, so that no other table is locked while the index is made; 0029 made it once. */
export const statements = [
  'create index if not exists idempotency_key_created_at on idempotency_key (created_at)',
];
