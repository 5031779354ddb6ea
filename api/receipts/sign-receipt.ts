import { createHash } from 'node:crypto';
import { buildPredicateType, revocationPredicateType } from '../../contract/receipt.ts';
import {
  type BuildPredicate,
  type ReceiptStatement,
  type RevocationPredicate,
  statementType,
} from '../../contract/receipt-statement.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { newId } from '../db/new-id.ts';
import { insertReceipt } from './receipt-store.ts';

type Content =
  | { kind: 'revocation'; predicate: RevocationPredicate }
  | { kind: 'build'; predicate: BuildPredicate };

/** Signs and stores a receipt about `subject`, an id; one that is there already stays. Answers its id. */
export async function signReceipt(
  { signer, now }: Pick<ApiContext, 'signer' | 'now'>,
  database: Database,
  about: Content & { subject: string; teamId: string; projectId: string },
): Promise<string> {
  const statement = {
    _type: statementType,
    subject: [
      { name: about.subject, digest: { sha256: createHash('sha256').update(about.subject).digest('hex') } },
    ],
    predicateType: about.kind === 'build' ? buildPredicateType : revocationPredicateType,
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
