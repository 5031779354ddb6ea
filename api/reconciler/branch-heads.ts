import { sql } from 'kysely';
import { type Database, json } from '../db/database.ts';
import type { Branch } from '../source-hosts/source-host.ts';

/** Notes heads as known; `asked` when no webhook told of them, so that one that comes late starts nothing. */
export async function setHeads(
  database: Database,
  hookId: string,
  branches: Branch[],
  asked = false,
): Promise<void> {
  if (branches.length === 0) return;
  await sql`
    insert into branch_head (hook_binding_id, branch, commit, asked)
    select ${hookId}, name, commit, ${asked} from jsonb_to_recordset(${json(branches)}) as b (name text, commit text)
    on conflict (hook_binding_id, branch) do update set commit = excluded.commit, asked = excluded.asked
  `.execute(database);
}

/** Forgets a branch that is gone, unless a webhook has told of a new commit of it since. */
export async function removeHead(
  database: Database,
  hookId: string,
  branch: string,
  commit: string,
): Promise<void> {
  await database
    .deleteFrom('branch_head')
    .where('hook_binding_id', '=', hookId)
    .where('branch', '=', branch)
    .where('commit', '=', commit)
    .execute();
}
