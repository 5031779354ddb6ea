import { type Static, Type } from 'typebox';
import { GitCommit, ProvenancePredicate, provenancePredicateType } from './provenance.ts';
import { RamdiskPredicate, ramdiskPredicateType } from './ramdisk-predicate.ts';
import { RevocationStep, revocationPredicateType } from './receipt.ts';

export const statementType = 'https://in-toto.io/Statement/v1';

const Time = Type.String({ format: 'date-time' });
const MaybeTime = Type.Union([Time, Type.Null()]);

/** Of a revocation: the digest is SHA-256 over the UTF-8 bytes of `name`, the id of the project. */
const Subject = Type.Object({
  name: Type.String(),
  digest: Type.Object({ sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }) }),
});

const Named = Type.Object({ id: Type.String(), name: Type.String() });

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
      vm_gone_at: MaybeTime,
    }),
    {
      description:
        'Builds that were not over, or whose VM was not known to be gone, when the revocation was asked for.',
    },
  ),
});
export type RevocationPredicate = Static<typeof RevocationPredicate>;

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
export type ReceiptStatement = RevocationStatement | ProvenanceStatement | RamdiskStatement;
