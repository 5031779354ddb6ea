import { sql } from 'kysely';
import type { Database } from '../../api/db/database.ts';
import type { BuildState } from '../../contract/build.ts';

/** A state that a build came into, or a lease that it went to. */
export interface Transition {
  build: string;
  state: BuildState;
  attempt: number;
  holder: string | null;
  version: number;
  /** Since the epoch, in milliseconds. */
  at: number;
}

/** Has the database itself write down each change of a build's state or lease, in the transaction that makes it. */
export async function keepHistory(database: Database): Promise<void> {
  await sql`
    create table build_history (
      position bigserial primary key, build text, state text, attempt integer, holder text, version integer,
      at timestamptz default clock_timestamp());
    create function keep_history() returns trigger language plpgsql as $$
    begin
      if tg_op = 'INSERT' or new.state is distinct from old.state or new.attempt is distinct from old.attempt
         or (new.lease_holder is not null and new.lease_holder is distinct from old.lease_holder) then
        insert into build_history (build, state, attempt, holder, version)
          values (new.id, new.state, new.attempt, new.lease_holder, new.status_version);
      end if;
      return new;
    end $$;
    create trigger keep_history after insert or update on build for each row execute function keep_history();
  `.execute(database);
}

/** All changes, in their order. */
export async function readHistory(database: Database): Promise<Map<string, Transition[]>> {
  const { rows } = await sql<Transition>`
    select build, state, attempt, holder, version, (extract(epoch from at) * 1000)::float8 as at
    from build_history order by position`.execute(database);
  return Map.groupBy(rows, ({ build }) => build);
}
