/** When access tokens end that do not say so themselves: those that were revoked, and those that are renewed. */
export const statements = [
  `create table token_end (
    id text primary key,
    ends_at timestamptz not null,
    -- When the token has expired for good, so that this need not be known any more.
    forget_at timestamptz not null
  )`,
];
