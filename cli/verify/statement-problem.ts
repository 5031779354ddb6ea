import type { RevocationPredicate } from '../../contract/receipt-statement.ts';
import { ascends } from './check.ts';

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

/** What is wrong with the statement about a revocation, as a sentence; undefined when it is complete and in order. */
export function problemOfRevocation(revocation: RevocationPredicate): string | undefined {
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
