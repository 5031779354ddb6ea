import { sql } from 'kysely';
import { type Database, json } from '../db/database.ts';
import type { Branch } from '../source-hosts/source-host.ts';

/** Notes heads as known, none of them to be built. */
export async function setHeads(database: Database, hookId: string, branches: Branch[]): Promise<void> {
  if (branches.length === 0) return;
  await sql`
    insert into branch_head (hook_binding_id, branch, commit, asked)
    select ${hookId}, name, commit, false from jsonb_to_recordset(${json(branches)}) as b (name text, commit text)
    on conflict (hook_binding_id, branch) do update set commit = excluded.commit, asked = false
  `.execute(database);
}
