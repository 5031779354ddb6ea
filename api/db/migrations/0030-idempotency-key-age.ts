/** Keys are forgotten by age. A step of its own, so that no other table is locked while the index is made. */
export const statements = ['create index idempotency_key_created_at on idempotency_key (created_at)'];
