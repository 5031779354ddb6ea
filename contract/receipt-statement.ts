import { type Static, Type } from 'typebox';
import { AuditWitness } from './audit.ts';
import { GitCommit, ProvenancePredicate, provenancePredicateType } from './provenance.ts';
import { RamdiskPredicate, ramdiskPredicateType } from './ramdisk-predicate.ts';
import {
  connectionRevocationPredicateType,
  RevocationStep,
  revocationPredicateType,
  teamRevocationPredicateType,
} from './receipt.ts';

export const statementType = 'https://in-toto.io/Statement/v1';

const Time = Type.String({ format: 'date-time' });
const MaybeTime = Type.Union([Time, Type.Null()]);

/** Of a revocation: the digest is SHA-256 over the UTF-8 bytes of `name`, the id of the project, connection or team. */
const Subject = Type.Object({
  name: Type.String(),
  digest: Type.Object({ sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }) }),
});

const Named = Type.Object({ id: Type.String(), name: Type.String() });

const VmGoneAt = Type.Union([Time, Type.Null()], {
  description:
    'Null where nobody saw it end: its runner was lost, and it was waited for until it must have ended itself.',
});

/** What is signed when everything that Ebb held for a project is gone. */
export const RevocationPredicate = Type.Object({
  project: Named,
  team: Named,
  requested_at: Time,
  finished_at: Time,
  steps: Type.Array(RevocationStep),
  deploy_key_fingerprint: Type.Union([Type.String(), Type.Null()]),
  hook_id: Type.Union([Type.String(), Type.Null()]),
  builds_ended: Type.Array(
    Type.Object({
      id: Type.String(),
      state: Type.String(),
      finished_at: MaybeTime,
      vm: Type.Union([Type.String(), Type.Null()]),
      vm_gone_at: VmGoneAt,
      earlier_vms: Type.Optional(
        Type.Array(Type.Object({ vm: Type.String(), vm_gone_at: VmGoneAt }), {
          description: 'VMs of attempts that were lost and tried again.',
        }),
      ),
    }),
    {
      description:
        'Builds that were not over, or whose VM was not known to be gone, when the revocation was asked for.',
    },
  ),
  audit_head: AuditWitness,
});
export type RevocationPredicate = Static<typeof RevocationPredicate>;

const common = {
  team: Named,
  requested_by: Type.String({ description: 'The API key that asked for it.' }),
  requested_at: Time,
  finished_at: Time,
  steps: Type.Array(RevocationStep),
  audit_head: AuditWitness,
};
const WithReceipt = Type.Object({ id: Type.String(), name: Type.String(), receipt_id: Type.String() });

/** What is signed when all projects of a connection are revoked and its credential is destroyed. */
export const ConnectionRevocationPredicate = Type.Object({
  connection: Type.Object({ id: Type.String(), name: Type.String(), kind: Type.String() }),
  ...common,
  projects: Type.Array(WithReceipt, {
    description: 'Projects that were revoked with it, each with its receipt.',
  }),
});
export type ConnectionRevocationPredicate = Static<typeof ConnectionRevocationPredicate>;

/** What is signed when a team has nothing left that opens or starts anything. */
export const TeamRevocationPredicate = Type.Object({
  ...common,
  connections: Type.Array(WithReceipt, {
    description:
      'Connections that were revoked with it, each with its receipt, which names those of its projects.',
  }),
  api_keys_ended: Type.Integer({
    description: 'How many API keys ended, that of who asked for it included.',
  }),
  receipts_readable_until: Type.Union([Time, Type.Null()], {
    description:
      'Until then the API key of who asked for it reads revocations, receipts and the audit trail, and nothing else.',
  }),
});
export type TeamRevocationPredicate = Static<typeof TeamRevocationPredicate>;

/** What a build's statements speak of: the commit that was built, as in-toto names and digests a source. */
const SourceSubject = Type.Object({
  name: Type.String({ description: 'git+ssh://git@host/path@ref' }),
  digest: Type.Object({ gitCommit: GitCommit }),
});
const Sources = Type.Array(SourceSubject, { minItems: 1, maxItems: 1 });

/** @see https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md */
export const RevocationStatement = Type.Object({
  _type: Type.Literal(statementType),
  subject: Type.Array(Subject, { minItems: 1, maxItems: 1 }),
  predicateType: Type.Literal(revocationPredicateType),
  predicate: RevocationPredicate,
});
export type RevocationStatement = Static<typeof RevocationStatement>;
export const ProvenanceStatement = Type.Object({
  _type: Type.Literal(statementType),
  subject: Sources,
  predicateType: Type.Literal(provenancePredicateType),
  predicate: ProvenancePredicate,
});
export type ProvenanceStatement = Static<typeof ProvenanceStatement>;
export const RamdiskStatement = Type.Object({
  _type: Type.Literal(statementType),
  subject: Sources,
  predicateType: Type.Literal(ramdiskPredicateType),
  predicate: RamdiskPredicate,
});
export type RamdiskStatement = Static<typeof RamdiskStatement>;
export const ConnectionRevocationStatement = Type.Object({
  _type: Type.Literal(statementType),
  subject: Type.Array(Subject, { minItems: 1, maxItems: 1 }),
  predicateType: Type.Literal(connectionRevocationPredicateType),
  predicate: ConnectionRevocationPredicate,
});
export type ConnectionRevocationStatement = Static<typeof ConnectionRevocationStatement>;
export const TeamRevocationStatement = Type.Object({
  _type: Type.Literal(statementType),
  subject: Type.Array(Subject, { minItems: 1, maxItems: 1 }),
  predicateType: Type.Literal(teamRevocationPredicateType),
  predicate: TeamRevocationPredicate,
});
export type TeamRevocationStatement = Static<typeof TeamRevocationStatement>;
export type ReceiptStatement =
  | RevocationStatement
  | ConnectionRevocationStatement
  | TeamRevocationStatement
  | ProvenanceStatement
  | RamdiskStatement;
