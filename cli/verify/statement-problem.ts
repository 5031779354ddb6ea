import { createHash } from 'node:crypto';
import { buildPredicateType } from '../../contract/receipt.ts';
import type {
  BuildPredicate,
  ReceiptStatement,
  RevocationPredicate,
} from '../../contract/receipt-statement.ts';

type Step = RevocationPredicate['steps'][number]['step'];

/** Which step comes after which. Secrets may be destroyed before the source host has answered, never the reverse. */
const order: [Step, Step][] = [
  ['claims_and_tokens_stopped', 'builds_cancelled'],
  ['claims_and_tokens_stopped', 'secrets_destroyed'],
  ['builds_cancelled', 'hook_removed'],
  ['hook_removed', 'deploy_key_removed'],
  ['deploy_key_removed', 'absence_confirmed'],
];

const steps = [...new Set(order.flat())];

/** What is wrong with a signed statement, as a sentence; undefined when it is complete and in order. */
export function problemOfStatement(statement: ReceiptStatement): string | undefined {
  const [subject] = statement.subject;
  if (!subject || subject.digest.sha256 !== createHash('sha256').update(subject.name).digest('hex')) {
    return 'The digest of its subject is not the SHA-256 of its name.';
  }
  if (statement.predicateType === buildPredicateType) return problemOfBuild(statement.predicate);
  if (subject.name !== statement.predicate.project.id) return 'Its subject is not the project it speaks of.';
  return problemOfRevocation(statement.predicate);
}

function problemOfRevocation(revocation: RevocationPredicate): string | undefined {
  const names = revocation.steps.map(({ step }) => step);
  const missing = steps.filter((step) => !names.includes(step));
  if (missing.length > 0) return `The revocation is not complete: ${missing.join(', ')} is missing.`;
  if (names.length !== steps.length) return 'A step of the revocation is there twice.';
  const times = [revocation.requested_at, ...revocation.steps.map(({ at }) => at), revocation.finished_at];
  if (!ascends(times)) return 'The times of the revocation are not in order.';
  const wrong = order.find(([first, second]) => names.indexOf(first) > names.indexOf(second));
  if (wrong) return `The steps are not in order: ${wrong[1]} came before ${wrong[0]}.`;
  const alive = revocation.builds_ended.find((build) => build.finished_at === null);
  if (alive) return `The build ${alive.id} was not over when the project was revoked.`;
  return undefined;
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

/** Whether RFC 3339 times never go back; null is a moment that did not come. */
function ascends(times: (string | null)[]): boolean {
  const known = times.filter((time) => time !== null).map((time) => Date.parse(time));
  return known.every((time, index) => index === 0 || time >= (known[index - 1] ?? time));
}
