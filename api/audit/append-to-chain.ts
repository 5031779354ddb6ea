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

// Rows of a statement; each takes eleven parameters, of which PostgreSQL allows 65535.
const pageSize = 500;

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
  await append(context, head, [{ ...event, id: newId('aud', at.getTime()), at }]);
}

/** Begins the chains of teams whose events were written before there were chains. Each is one transaction. */
export async function startChains(context: ChainContext): Promise<void> {
  const teams = await context.database
    .selectFrom('unchained_audit_event')
    .select('team_id')
    .distinct()
    .execute();
  for (const { team_id } of teams)
    await context.database
      .transaction()
      .execute((transaction) => lockHead({ ...context, database: transaction }, team_id));
}

async function lockHead(context: ChainContext, teamId: string): Promise<Head> {
  const { database } = context;
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
  const begun = await find.executeTakeFirstOrThrow();
  return begun.seq === 0 ? await chainEarlierEvents(context, begun) : begun;
}

/** Brings in what was written before there were chains, and says so: until then nothing protected it. */
async function chainEarlierEvents(context: ChainContext, start: Head): Promise<Head> {
  const { database, now } = context;
  let head = start;
  for (;;) {
    const events = await database
      .selectFrom('unchained_audit_event')
      .selectAll()
      .where('team_id', '=', head.team_id)
      .orderBy('at')
      .orderBy('id')
      .limit(pageSize)
      .execute();
    if (events.length === 0) break;
    head = await append(context, head, events);
    const ids = events.map(({ id }) => id);
    await database.deleteFrom('unchained_audit_event').where('id', 'in', ids).execute();
  }
  if (head.seq === 0) return head;
  const at = now();
  const detail = { earlier_entries: head.seq };
  const event = { action: 'audit.chain_started', actor: 'ebb', subject: head.team_id, detail };
  return await append(context, head, [{ ...event, id: newId('aud', at.getTime()), at }]);
}

async function append({ database, signer }: ChainContext, start: Head, events: Event[]): Promise<Head> {
  let head = start;
  const rows = events.map((event) => {
    const linked = linkEvent({ ...head, team: head.team_id }, event);
    const hash = hashOfEntry(linked);
    const { signatures } = signer.signAuditHead(headOfEntry({ ...linked, hash }));
    head = { team_id: head.team_id, seq: linked.seq, hash, at: new Date(linked.at) };
    return toRow({ ...linked, hash, signature: signatures[0] ?? { keyid: '', sig: '' } });
  });
  await database.insertInto('audit_event').values(rows).execute();
  const { team_id, ...end } = head;
  await database.updateTable('audit_head').set(end).where('team_id', '=', team_id).execute();
  return head;
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
