import { sql } from 'kysely';
import type { Database } from '../../api/db/database.ts';
import type { BuildState } from '../../contract/build.ts';

/** A state that a build came into. */
export interface Transition {
  build: string;
  state: BuildState;
  attempt: number;
}

/** Has the database itself write down each change of a build's state, in the transaction that makes it. */
export async function keepHistory(database: Database): Promise<void> {
  await sql`
    create table build_history (position bigserial primary key, build text, state text, attempt integer);
    create function keep_history() returns trigger language plpgsql as $$
    begin
      if tg_op = 'INSERT' or new.state is distinct from old.state then
        insert into build_history (build, state, attempt) values (new.id, new.state, new.attempt);
      end if;
      return new;
    end $$;
    create trigger keep_history after insert or update on build for each row execute function keep_history();
  `.execute(database);
}

/** All changes of states, in their order. */
export async function readHistory(database: Database): Promise<Map<string, Transition[]>> {
  const { rows } = await sql<Transition>`
    select build, state, attempt from build_history order by position`.execute(database);
  return Map.groupBy(rows, ({ build }) => build);
}
