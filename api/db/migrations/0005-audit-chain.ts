/**
 * A hash chain of audit entries for each team. Events of before, which nothing protected, are not brought in: whoever has
 * the database could have the API sign what he likes as such.
 */
export const statements = [
  `drop table audit_event`,
  `create table audit_event (
    team_id text not null references team,
    seq integer not null check (seq > 0),
    id text not null unique,
    at timestamptz not null,
    action text not null,
    actor text not null,
    subject text not null,
    detail jsonb not null,
    -- SHA-256, hexadecimal: of the entry before, and of this one.
    previous text not null,
    hash text not null,
    -- Ed25519, base64, over the head of the chain with this entry as the last.
    key_id text not null,
    signature text not null,
    primary key (team_id, seq)
  )`,
  `create index audit_event_subject on audit_event (team_id, subject, seq)`,
  // The end of each chain, locked while an entry is appended.
  `create table audit_head (
    team_id text primary key references team,
    seq integer not null,
    hash text not null,
    at timestamptz not null
  )`,
  // Against mistakes and injected SQL. Who may disable triggers is found by \`ebb verify audit\`.
  `create function refuse_audit_change() returns trigger language plpgsql as $$
  begin
    raise exception 'the audit trail is append-only: % of % is refused', tg_op, tg_table_name;
  end $$`,
  `create trigger audit_event_is_append_only before update or delete on audit_event
    for each row execute function refuse_audit_change()`,
  `create trigger audit_event_is_not_emptied before truncate on audit_event
    for each statement execute function refuse_audit_change()`,
  `create trigger audit_head_only_grows before update on audit_head
    for each row when (new.seq <= old.seq or new.team_id <> old.team_id or new.at < old.at)
    execute function refuse_audit_change()`,
  `create trigger audit_head_stays before delete on audit_head
    for each row execute function refuse_audit_change()`,
  `create trigger audit_head_is_not_emptied before truncate on audit_head
    for each statement execute function refuse_audit_change()`,
];
