import { createHash } from 'node:crypto';
import {
  buildPredicateType,
  connectionRevocationPredicateType,
  teamRevocationPredicateType,
} from '../../contract/receipt.ts';
import type { BuildPredicate, ReceiptStatement } from '../../contract/receipt-statement.ts';
import { ascends } from './ascends.ts';
import { problemOfConnection, problemOfProject, problemOfTeam } from './revocation-problem.ts';

/** What is wrong with a signed statement, as a sentence; undefined when it is complete and in order. */
export function problemOfStatement(statement: ReceiptStatement): string | undefined {
  const [subject] = statement.subject;
  if (!subject || subject.digest.sha256 !== createHash('sha256').update(subject.name).digest('hex')) {
    return 'The digest of its subject is not the SHA-256 of its name.';
  }
  if (statement.predicateType === buildPredicateType) return problemOfBuild(statement.predicate);
  if (subject.name !== subjectOf(statement)) return 'Its subject is not what it speaks of.';
  switch (statement.predicateType) {
    case connectionRevocationPredicateType:
      return problemOfConnection(statement.predicate);
    case teamRevocationPredicateType:
      return problemOfTeam(statement.predicate);
    default:
      return problemOfProject(statement.predicate);
  }
}

type RevocationStatement = Exclude<ReceiptStatement, { predicateType: typeof buildPredicateType }>;

function subjectOf({ predicate }: RevocationStatement): string {
  if ('project' in predicate) return predicate.project.id;
  return 'connection' in predicate ? predicate.connection.id : predicate.team.id;
}

function problemOfBuild(build: BuildPredicate): string | undefined {
  // Two clocks: the control plane's, and that of the runner, which reports the milestones.
  const ordered =
    ascends([build.queued_at, build.started_at, build.finished_at]) &&
    ascends([build.vm_ready_at, build.checkout_done_at, build.first_step_at, build.vm_gone_at]);
  if (!ordered) return 'The times of the build are not in order.';
  if (build.vm !== null && build.vm_gone_at === null) return `The VM ${build.vm} is not known to be gone.`;
  if (build.vm_ready_at !== null && !build.ramdisk_proof)
    return 'The proof that its VM has no disk is missing.';
  return undefined;
}
