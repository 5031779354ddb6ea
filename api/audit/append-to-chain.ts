import type { Selectable } from 'kysely';
import type { AuditEntry } from '../../contract/audit.ts';
import { chainStart, hashOfEntry, headOfEntry } from '../../contract/audit-chain.ts';
import type { ApiContext } from '../context.ts';
import { json } from '../db/database.ts';
import { newId } from '../db/new-id.ts';
import type { Schema } from '../db/schema.ts';
import { type Event, linkEvent } from './link-event.ts';

/** With a transaction as `database`. */
export type ChainContext = Pick<ApiContext, 'database' | 'now' | 'signer'>;

type Head = Selectable<Schema['audit_head']>;

/**
 * Appends an event to its team's chain. The end of the chain stays locked until the transaction ends: appending comes
 * last in it, so that nobody waits for a lock while holding this one.
 */
export async function appendToChain(
  context: ChainContext,
  teamId: string,
  event: Omit<Event, 'id' | 'at'>,
): Promise<void> {
  const head = await lockHead(context, teamId);
  // Only now: what waited for the lock is not older than what went before it.
  const at = context.now();
  await append(context, head, { ...event, id: newId('aud', at.getTime()), at });
}

async function lockHead({ database }: ChainContext, teamId: string): Promise<Head> {
  const find = database.selectFrom('audit_head').selectAll().where('team_id', '=', teamId).forUpdate();
  const head = await find.executeTakeFirst();
  if (head) return head;
  const none = { team_id: teamId, seq: 0, hash: chainStart, at: new Date(0) };
  await database
    .insertInto('audit_head')
    .values(none)
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  // Another transaction may have begun the chain a moment before.
  return await find.executeTakeFirstOrThrow();
}

async function append({ database, signer }: ChainContext, head: Head, event: Event): Promise<void> {
  const { team_id } = head;
  const linked = linkEvent({ ...head, team: team_id }, event);
  const hash = hashOfEntry(linked);
  const [signature = { keyid: '', sig: '' }] = signer.signAuditHead(
    headOfEntry({ ...linked, hash }),
  ).signatures;
  await database
    .insertInto('audit_event')
    .values(toRow({ ...linked, hash, signature }))
    .execute();
  await database
    .updateTable('audit_head')
    .set({ seq: linked.seq, hash, at: new Date(linked.at) })
    .where('team_id', '=', team_id)
    .execute();
}

function toRow({ team, at, detail, signature, ...entry }: AuditEntry) {
  return {
    ...entry,
    team_id: team,
    at: new Date(at),
    detail: json(detail),
    key_id: signature.keyid,
    signature: signature.sig,
  };
}
