/** What connections to hosts outside of Ebb need. */
export const statements = [
  `alter table connection
    add column url text,
    add column app_id text,
    add column installation_id text,
    -- As declared; host_keys is what is pinned, declared or published by the host.
    add column ssh_host_keys jsonb,
    -- Token or private key, a compact JWE to a key of the API that is derived for this connection.
    add column sealed_credential text,
    add column version integer not null default 1`,
];
