import { absenceUnseen, type RevocationStep, revocationSteps } from '../../contract/receipt.ts';
import type {
  ConnectionRevocationPredicate,
  RevocationPredicate,
  TeamRevocationPredicate,
} from '../../contract/receipt-statement.ts';
import { ascends } from './check.ts';

type Step = RevocationStep['step'];
type Kind = keyof typeof revocationSteps;
type Revocation = Pick<RevocationPredicate, 'requested_at' | 'finished_at' | 'steps'>;

/** Which step comes after which. Secrets may be destroyed before the source host has answered, never the reverse. */
const order: Record<Kind, [Step, Step][]> = {
  project: [
    ['claims_and_tokens_stopped', 'builds_cancelled'],
    ['claims_and_tokens_stopped', 'secrets_destroyed'],
    ['builds_cancelled', 'hook_removed'],
    ['hook_removed', 'deploy_key_removed'],
    ['deploy_key_removed', 'absence_confirmed'],
  ],
  connection: pairs(revocationSteps.connection),
  team: pairs(revocationSteps.team),
};

/** What is wrong with the receipt of a project's revocation, as a sentence; undefined when it holds. */
export function problemOfProject(revocation: RevocationPredicate): string | undefined {
  const alive = revocation.builds_ended.find((build) => build.finished_at === null);
  if (alive) return `The build ${alive.id} was not over when the project was revoked.`;
  return problemOfSteps('project', revocation);
}

export function problemOfConnection(revocation: ConnectionRevocationPredicate): string | undefined {
  return problemOfSteps('connection', revocation) ?? problemOfParts(revocation.projects);
}

export function problemOfTeam(revocation: TeamRevocationPredicate): string | undefined {
  return problemOfSteps('team', revocation) ?? problemOfParts(revocation.connections);
}

function problemOfSteps(kind: Kind, revocation: Revocation): string | undefined {
  // Confirmed, stated or not seen: the receipt has one of them, and the description says which.
  const names = revocation.steps.map(
    ({ step }): Step => (absenceUnseen.some((unseen) => unseen === step) ? 'absence_confirmed' : step),
  );
  const wanted: readonly Step[] = revocationSteps[kind];
  const missing = wanted.filter((step) => !names.includes(step));
  if (missing.length > 0) return `The revocation is not complete: ${missing.join(', ')} is missing.`;
  if (names.length !== wanted.length)
    return 'A step of the revocation is there twice, or does not belong to it.';
  const times = [revocation.requested_at, ...revocation.steps.map(({ at }) => at), revocation.finished_at];
  if (!ascends(times)) return 'The times of the revocation are not in order.';
  const wrong = order[kind].find(([first, second]) => names.indexOf(first) > names.indexOf(second));
  if (wrong) return `The steps are not in order: ${wrong[1]} came before ${wrong[0]}.`;
  return revocation.steps.map(problemOfTimes).find((problem) => problem !== undefined);
}

/** Receipts of before steps were measured have none of this. */
function problemOfTimes({ step, at, began_at, took_ms, measured_by }: RevocationStep): string | undefined {
  if (began_at === undefined && took_ms === undefined && measured_by === undefined) return undefined;
  if (began_at === undefined || took_ms === undefined || measured_by === undefined)
    return `The times of the step ${step} are not complete.`;
  if (!ascends([began_at, at])) return `The step ${step} ended before it began.`;
  const recorded = Date.parse(at) - Date.parse(began_at);
  if (measured_by === 'recorded_times' && took_ms !== recorded)
    return `The step ${step} took ${took_ms} ms by its receipt, but ${recorded} ms by its own times.`;
  return undefined;
}

function problemOfParts(parts: { id: string; receipt_id: string }[]): string | undefined {
  const ids = parts.flatMap(({ id, receipt_id }) => [id, receipt_id]);
  return new Set(ids).size === ids.length ? undefined : 'A part of the revocation is there twice.';
}

function pairs(steps: readonly Step[]): [Step, Step][] {
  return steps.slice(1).map((step, index) => [steps[index] ?? step, step]);
}
