import type { AuditEvent } from '../../contract/audit.ts';
import type { ApiContext } from '../context.ts';
import { appendToChain } from './append-to-chain.ts';

/** Something that a team should be able to look up later. `detail` holds no secret. */
export type Audited = { teamId: string } & Pick<AuditEvent, 'action' | 'actor' | 'subject' | 'detail'>;

/** What an entry is written with; `signer` signs the chain up to it. */
export type AuditContext = Pick<ApiContext, 'database' | 'now' | 'signer'>;

/**
 * Writes an event down at the end of its team's chain. In a transaction, with the transaction as `database`, it stands
 * or falls with it; it comes last there, because it locks the chain until the end.
 */
export async function recordAudit(context: AuditContext, { teamId, ...event }: Audited): Promise<void> {
  const { database } = context;
  if (database.isTransaction) return await appendToChain(context, teamId, event);
  await database
    .transaction()
    .execute((transaction) => appendToChain({ ...context, database: transaction }, teamId, event));
}
