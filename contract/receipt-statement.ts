import { type Static, Type } from 'typebox';
import { buildPredicateType, RevocationStep, revocationPredicateType } from './receipt.ts';

export const statementType = 'https://in-toto.io/Statement/v1';

const Time = Type.String({ format: 'date-time' });
const MaybeTime = Type.Union([Time, Type.Null()]);

/** The digest is SHA-256 over the UTF-8 bytes of `name`, the id of what the receipt speaks of. */
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

/** What is signed when a build is over and its VM is gone. */
export const BuildPredicate = Type.Object({
  project: Named,
  team: Named,
  build: Type.Object({ number: Type.Integer(), branch: Type.String(), commit: Type.String() }),
  state: Type.Enum(['passed', 'failed', 'errored', 'cancelled', 'timed_out']),
  attempt: Type.Integer(),
  vm: Type.Union([Type.String(), Type.Null()]),
  ramdisk_proof: Type.Unknown({ description: 'What the VM showed of its disks before the build began.' }),
  queued_at: Time,
  started_at: MaybeTime,
  vm_ready_at: MaybeTime,
  checkout_done_at: MaybeTime,
  first_step_at: MaybeTime,
  finished_at: Time,
  vm_gone_at: MaybeTime,
});
export type BuildPredicate = Static<typeof BuildPredicate>;

/** @see https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md */
export const RevocationStatement = Type.Object({
  _type: Type.Literal(statementType),
  subject: Type.Array(Subject, { minItems: 1, maxItems: 1 }),
  predicateType: Type.Literal(revocationPredicateType),
  predicate: RevocationPredicate,
});
export const BuildStatement = Type.Object({
  _type: Type.Literal(statementType),
  subject: Type.Array(Subject, { minItems: 1, maxItems: 1 }),
  predicateType: Type.Literal(buildPredicateType),
  predicate: BuildPredicate,
});
export const ReceiptStatement = Type.Union([RevocationStatement, BuildStatement]);
export type ReceiptStatement = Static<typeof ReceiptStatement>;
