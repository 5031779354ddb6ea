/** The first schema. One statement an entry, because PGlite prepares each of them. */
export const statements = [
  `create table team (
    id text primary key,
    name text not null unique,
    created_at timestamptz not null
  )`,
  `create table api_key (
    id text primary key,
    team_id text not null references team,
    name text not null,
    -- SHA-256 of the key: it has 256 random bits, so a slow hash would add nothing.
    secret_hash bytea not null unique,
    scopes jsonb not null,
    created_at timestamptz not null,
    revoked_at timestamptz
  )`,
  `create table connection (
    id text primary key,
    team_id text not null references team,
    name text not null,
    kind text not null,
    host_keys jsonb not null,
    created_at timestamptz not null,
    -- Builds of revoked projects stay readable, so a connection that they used is only marked.
    deleted_at timestamptz
  )`,
  `create unique index connection_name on connection (team_id, name) where deleted_at is null`,
  `create table project (
    id text primary key,
    team_id text not null references team,
    connection_id text not null references connection,
    name text not null,
    repository text not null,
    default_branch text not null,
    setup jsonb not null,
    test jsonb not null,
    deploy jsonb not null,
    environment jsonb not null,
    timeout_minutes integer not null,
    concurrency integer not null,
    image text not null,
    memory_mib integer not null,
    build_count integer not null default 0,
    version integer not null default 1,
    -- What secrets are sealed to (JWK), and its private half wrapped to the key-encryption key; null once destroyed.
    public_key jsonb not null,
    wrapped_private_key text,
    created_at timestamptz not null,
    revoking_at timestamptz,
    revoked_at timestamptz
  )`,
  `create unique index project_name on project (team_id, name) where revoked_at is null`,
  `create table deploy_key (
    id text primary key,
    project_id text not null unique references project,
    public_key text not null,
    fingerprint text not null,
    sealed_private_key text not null,
    -- Null between making the key and adding it at the source host.
    source_host_id text,
    created_at timestamptz not null
  )`,
  `create table hook_binding (
    id text primary key,
    project_id text not null unique references project,
    branches jsonb not null,
    source_host_id text,
    version integer not null default 1,
    created_at timestamptz not null
  )`,
  `create table secret (
    id text primary key,
    project_id text not null references project,
    name text not null,
    phases jsonb not null,
    sealed_value text not null,
    version integer not null default 1,
    created_at timestamptz not null,
    unique (project_id, name)
  )`,
  `create table build (
    id text primary key,
    project_id text not null references project,
    team_id text not null references team,
    number integer not null,
    state text not null,
    reason text,
    trigger text not null,
    branch text not null,
    commit text not null,
    message text not null,
    attempt integer not null default 0,
    phase text,
    deploy_started boolean not null default false,
    failed_command text,
    exit_code integer,
    runner text,
    vm text,
    proof jsonb,
    cancel_requested boolean not null default false,
    log_size integer not null default 0,
    queued_at timestamptz not null,
    started_at timestamptz,
    vm_ready_at timestamptz,
    checkout_done_at timestamptz,
    first_step_at timestamptz,
    finished_at timestamptz,
    vm_gone_at timestamptz,
    unique (project_id, number)
  )`,
  `create index build_unfinished on build (state) where finished_at is null`,
  `create table build_log (
    build_id text not null references build on delete cascade,
    position integer not null,
    data bytea not null,
    primary key (build_id, position)
  )`,
  `create table webhook_delivery (
    hook_binding_id text not null references hook_binding on delete cascade,
    delivery text not null,
    received_at timestamptz not null,
    build_id text,
    primary key (hook_binding_id, delivery)
  )`,
  `create table revocation (
    project_id text primary key references project,
    steps jsonb not null,
    started_at timestamptz not null,
    finished_at timestamptz,
    receipt_id text
  )`,
  `create table receipt (
    id text primary key,
    team_id text not null references team,
    project_id text not null,
    kind text not null,
    subject text not null,
    envelope jsonb not null,
    created_at timestamptz not null,
    unique (kind, subject)
  )`,
  `create table idempotency_key (
    api_key_id text not null,
    key text not null,
    request_hash text not null,
    status integer,
    body jsonb,
    created_at timestamptz not null,
    primary key (api_key_id, key)
  )`,
];
