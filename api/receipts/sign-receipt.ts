import { createHash } from 'node:crypto';
import {
  buildPredicateType,
  connectionRevocationPredicateType,
  revocationPredicateType,
  teamRevocationPredicateType,
} from '../../contract/receipt.ts';
import {
  type BuildPredicate,
  type ConnectionRevocationPredicate,
  type ReceiptStatement,
  type RevocationPredicate,
  statementType,
  type TeamRevocationPredicate,
} from '../../contract/receipt-statement.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { newId } from '../db/new-id.ts';
import { insertReceipt } from './receipt-store.ts';

export type ReceiptContent =
  | { kind: 'revocation'; predicate: RevocationPredicate }
  | { kind: 'connection_revocation'; predicate: ConnectionRevocationPredicate }
  | { kind: 'team_revocation'; predicate: TeamRevocationPredicate }
  | { kind: 'build'; predicate: BuildPredicate };

const predicateTypes: Record<ReceiptContent['kind'], string> = {
  revocation: revocationPredicateType,
  connection_revocation: connectionRevocationPredicateType,
  team_revocation: teamRevocationPredicateType,
  build: buildPredicateType,
};

/** Signs and stores a receipt about `subject`, an id; one that is there already stays. Answers its id. */
export async function signReceipt(
  { signer, now }: Pick<ApiContext, 'signer' | 'now'>,
  database: Database,
  about: ReceiptContent & { subject: string; teamId: string; projectId: string | null },
): Promise<string> {
  const statement = {
    _type: statementType,
    subject: [
      { name: about.subject, digest: { sha256: createHash('sha256').update(about.subject).digest('hex') } },
    ],
    predicateType: predicateTypes[about.kind],
    predicate: about.predicate,
  } as ReceiptStatement;
  return await insertReceipt(database, {
    id: newId('rcp', now().getTime()),
    team_id: about.teamId,
    project_id: about.projectId,
    kind: about.kind,
    subject: about.subject,
    envelope: signer.signStatement({ ...statement }),
    created_at: now(),
  });
}
