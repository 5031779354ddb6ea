import { createHash } from 'node:crypto';
import type { SignedAuditHead } from '../../contract/audit.ts';
import { type ProvenancePredicate, provenancePredicateType } from '../../contract/provenance.ts';
import { type RamdiskPredicate, ramdiskPredicateType } from '../../contract/ramdisk-predicate.ts';
import {
  connectionRevocationPredicateType,
  revocationPredicateType,
  teamRevocationPredicateType,
} from '../../contract/receipt.ts';
import {
  type ConnectionRevocationPredicate,
  type ReceiptStatement,
  type RevocationPredicate,
  statementType,
  type TeamRevocationPredicate,
} from '../../contract/receipt-statement.ts';
import { currentAuditHead } from '../audit/audit-store.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { newId } from '../db/new-id.ts';
import { insertReceipt } from './receipt-store.ts';

/** The commit that a build was of. */
interface Source {
  name: string;
  digest: { gitCommit: string };
}

export type RevocationContent =
  | { kind: 'revocation'; predicate: RevocationPredicate }
  | { kind: 'connection_revocation'; predicate: ConnectionRevocationPredicate }
  | { kind: 'team_revocation'; predicate: TeamRevocationPredicate };

type Content =
  | RevocationContent
  | { kind: 'provenance'; predicate: ProvenancePredicate; source: Source }
  | { kind: 'ramdisk'; predicate: RamdiskPredicate; source: Source };

const predicateTypes = {
  revocation: revocationPredicateType,
  connection_revocation: connectionRevocationPredicateType,
  team_revocation: teamRevocationPredicateType,
  provenance: provenancePredicateType,
  ramdisk: ramdiskPredicateType,
} as const satisfies Record<Content['kind'], string>;

/**
 * Signs and stores a receipt about `subject`, an id; one that is there already stays. Whoever keeps it is a witness of the
 * team's audit trail as it is now, by the head in it; SLSA's provenance has no place for one. Answers its id.
 */
export async function signReceipt(
  { signer, now }: Pick<ApiContext, 'signer' | 'now'>,
  database: Database,
  about: Content & { subject: string; teamId: string; projectId: string | null },
): Promise<string> {
  const head = await currentAuditHead(database, about.teamId);
  return await insertReceipt(database, {
    id: newId('rcp', now().getTime()),
    team_id: about.teamId,
    project_id: about.projectId,
    kind: about.kind,
    subject: about.subject,
    envelope: signer.signStatement(statementOf(about, head)),
    created_at: now(),
  });
}

function statementOf(
  about: Content & { subject: string },
  head: SignedAuditHead | undefined,
): ReceiptStatement {
  const { kind, subject, predicate } = about;
  const digest = () => ({ sha256: createHash('sha256').update(subject).digest('hex') });
  return {
    _type: statementType,
    subject: ['source' in about ? about.source : { name: subject, digest: digest() }],
    predicateType: predicateTypes[kind],
    predicate: kind === 'provenance' || !head ? predicate : { ...predicate, audit_head: head },
  } as ReceiptStatement;
}
