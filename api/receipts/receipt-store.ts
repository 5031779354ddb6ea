import type { Selectable } from 'kysely';
import type { Receipt, ReceiptKind } from '../../contract/receipt.ts';
import { type Database, json } from '../db/database.ts';
import type { Schema } from '../db/schema.ts';

export type ReceiptRow = Selectable<Schema['receipt']>;

/** Stores a receipt; what has one already keeps it. Answers the id of the one that counts. */
export async function insertReceipt(database: Database, receipt: ReceiptRow): Promise<string> {
  await database
    .insertInto('receipt')
    .values({ ...receipt, envelope: json(receipt.envelope) })
    .onConflict((on) => on.columns(['kind', 'subject']).doNothing())
    .execute();
  const { id } = await database
    .selectFrom('receipt')
    .select('id')
    .where('kind', '=', receipt.kind)
    .where('subject', '=', receipt.subject)
    .executeTakeFirstOrThrow();
  return id;
}

/** Receipts outlive their project, so that no project is joined here. */
export async function receiptOfTeam(database: Database, id: string, teamId: string) {
  return await database
    .selectFrom('receipt')
    .selectAll()
    .where('id', '=', id)
    .where('team_id', '=', teamId)
    .executeTakeFirst();
}

export interface ReceiptFilter {
  teamId: string;
  projectId?: string | undefined;
  subject?: string | undefined;
  kind?: ReceiptKind | undefined;
  after?: string | undefined;
  limit: number;
}

/** Receipts by id, which is by time. */
export async function listReceipts(database: Database, filter: ReceiptFilter): Promise<ReceiptRow[]> {
  return await database
    .selectFrom('receipt')
    .selectAll()
    .where('team_id', '=', filter.teamId)
    .$if(filter.projectId !== undefined, (q) => q.where('project_id', '=', filter.projectId ?? ''))
    .$if(filter.subject !== undefined, (q) => q.where('subject', '=', filter.subject ?? ''))
    .$if(filter.kind !== undefined, (q) => q.where('kind', '=', filter.kind ?? 'provenance'))
    .$if(filter.after !== undefined, (q) => q.where('id', '>', filter.after ?? ''))
    .orderBy('id')
    .limit(filter.limit)
    .execute();
}

/** The receipt as the API answers it. */
export function representReceipt(row: ReceiptRow): Receipt {
  const { id, kind, project_id, subject, envelope } = row;
  return { id, kind, project_id, subject, created_at: row.created_at.toISOString(), envelope };
}
