import { type Selectable, sql } from 'kysely';
import { type Database, json } from '../db/database.ts';
import type { Schema } from '../db/schema.ts';
import type { Branch } from '../source-hosts/source-host.ts';
import type { PushEvent, WebhookEvent } from '../source-hosts/webhook-event.ts';

type Head = Selectable<Schema['branch_head']>;

const branchRef = 'refs/heads/';
// The source host's clock and ours differ a little, and what it lists may be a moment old.
const clocksMs = 60_000;

/** What is known of the branch of a ref; undefined for a tag. */
export async function findHead(database: Database, hookId: string, ref: string): Promise<Head | undefined> {
  if (!ref.startsWith(branchRef)) return undefined;
  return await database
    .selectFrom('branch_head')
    .selectAll()
    .where('hook_binding_id', '=', hookId)
    .where('branch', '=', ref.slice(branchRef.length))
    .executeTakeFirst();
}

/** Whether it happened before a time, both by the source host's clock; false where one is not known. */
export function isOlder({ at }: WebhookEvent, than: Date | null): boolean {
  return at !== undefined && than !== null && Date.parse(at) < than.getTime();
}

/**
 * Whether a push is known to be the newest of its ref: by the clock of a source host that says when, or because it goes
 * on from the head that is known. Of a tag nothing older is known.
 */
export async function isKnownNewest(
  database: Database,
  hookId: string,
  { ref, at, before }: PushEvent,
): Promise<boolean> {
  const head = await findHead(database, hookId, ref);
  if (!head) return true;
  // Clocks of source hosts tell seconds; within one the commits decide.
  const isLater = at !== undefined && head.at !== null && Date.parse(at) > head.at.getTime();
  return isLater || before === head.commit;
}

/** Notes heads as they were listed at `at`; `asked` when no webhook told of them, so that one that comes late starts nothing. */
export async function setHeads(
  database: Database,
  hookId: string,
  branches: Branch[],
  { at, asked = false }: { at: Date; asked?: boolean },
): Promise<void> {
  if (branches.length === 0) return;
  await sql`
    insert into branch_head (hook_binding_id, branch, commit, asked, at, position)
    select ${hookId}, name, commit, ${asked}, ${new Date(at.getTime() - clocksMs)}, (
      select coalesce(max(position), 0) from webhook_delivery where hook_binding_id = ${hookId}
    )
    from jsonb_to_recordset(${json(branches)}) as b (name text, commit text)
    on conflict (hook_binding_id, branch) do update
      set commit = excluded.commit, asked = excluded.asked, at = excluded.at, position = excluded.position
  `.execute(database);
}

/** Notes what a webhook told of a branch, unless something newer is known. */
export async function noteHead(
  database: Database,
  { hook_binding_id, position }: { hook_binding_id: string; position: string },
  event: PushEvent,
): Promise<void> {
  const { ref, before, commit, deleted, at } = event;
  if (!ref.startsWith(branchRef)) return;
  const head = await findHead(database, hook_binding_id, ref);
  // A head that was asked for is newer than a webhook that comes late, unless that goes on from it.
  if (head?.asked && head.commit !== before) return;
  if (isOlder(event, head?.at ?? null)) return;
  const branch = ref.slice(branchRef.length);
  if (deleted) {
    if (head) await removeHead(database, hook_binding_id, branch, head.commit);
    return;
  }
  const told = { commit, asked: false, at: at === undefined ? null : new Date(at), position };
  await database
    .insertInto('branch_head')
    .values({ hook_binding_id, branch, ...told })
    .onConflict((on) => on.columns(['hook_binding_id', 'branch']).doUpdateSet(told))
    .execute();
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
