/** The keys that sign access tokens, one after the other. */
export const statements = [
  `create table token_key (
    kid text primary key,
    -- Public half of the Ed25519 key, as in its JWK.
    x text not null,
    -- The private half, sealed with a key that is derived from the API's master key; null once it signs no more.
    sealed_private_key bytea,
    published_at timestamptz not null,
    signs_from timestamptz not null,
    -- When the next one takes over; null of the last.
    signs_until timestamptz
  )`,
];
