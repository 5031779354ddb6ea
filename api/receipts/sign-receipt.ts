import { createHash } from 'node:crypto';
import { type ProvenancePredicate, provenancePredicateType } from '../../contract/provenance.ts';
import { type RamdiskPredicate, ramdiskPredicateType } from '../../contract/ramdisk-predicate.ts';
import { revocationPredicateType } from '../../contract/receipt.ts';
import {
  type ReceiptStatement,
  type RevocationPredicate,
  statementType,
} from '../../contract/receipt-statement.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { newId } from '../db/new-id.ts';
import { insertReceipt } from './receipt-store.ts';

/** The commit that a build was of. */
interface Source {
  name: string;
  digest: { gitCommit: string };
}

type Content =
  | { kind: 'revocation'; predicate: RevocationPredicate }
  | { kind: 'provenance'; predicate: ProvenancePredicate; source: Source }
  | { kind: 'ramdisk'; predicate: RamdiskPredicate; source: Source };

/**
 * Signs and stores a receipt about `subject`, the id of a project or a build; one that is there already stays. Answers
 * its id.
 */
export async function signReceipt(
  { signer, now }: Pick<ApiContext, 'signer' | 'now'>,
  database: Database,
  about: Content & { subject: string; teamId: string; projectId: string },
): Promise<string> {
  return await insertReceipt(database, {
    id: newId('rcp', now().getTime()),
    team_id: about.teamId,
    project_id: about.projectId,
    kind: about.kind,
    subject: about.subject,
    envelope: signer.signStatement(statementOf(about)),
    created_at: now(),
  });
}

function statementOf(about: Content & { subject: string }): ReceiptStatement {
  const _type = statementType;
  if (about.kind === 'revocation') {
    const digest = { sha256: createHash('sha256').update(about.subject).digest('hex') };
    const subject = [{ name: about.subject, digest }];
    return { _type, subject, predicateType: revocationPredicateType, predicate: about.predicate };
  }
  const subject = [about.source];
  return about.kind === 'provenance'
    ? { _type, subject, predicateType: provenancePredicateType, predicate: about.predicate }
    : { _type, subject, predicateType: ramdiskPredicateType, predicate: about.predicate };
}
