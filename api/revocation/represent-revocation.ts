import { absenceUnseen, type RevocationStep, revocationSteps } from '../../contract/receipt.ts';
import type { Revocation } from '../../contract/revocation.ts';
import type { RevocationRow } from './revocation-store.ts';

/** A revocation as the API answers it. */
export function representRevocation(row: RevocationRow): Revocation {
  const { id, kind, subject, name, steps, obstacle, attempts, receipt_id } = row;
  return {
    ...{ id, kind, subject, name, within: row.parent_id },
    state: stateOf(row),
    requested_by: row.requested_by,
    requested_at: row.started_at.toISOString(),
    steps,
    remaining: row.finished_at ? [] : remainingSteps(row),
    ...{ obstacle, attempts },
    next_try_at: row.finished_at ? null : row.next_try_at.toISOString(),
    finished_at: row.finished_at?.toISOString() ?? null,
    receipt_id,
  };
}

/** What an earlier attempt found in the way holds nothing up while a later one is at work. */
function stateOf({ finished_at, obstacle, attempts }: RevocationRow): Revocation['state'] {
  if (finished_at) return 'finished';
  return obstacle && (obstacle.attempt ?? attempts) >= attempts ? 'held_up' : 'going_on';
}

function remainingSteps({ kind, steps }: RevocationRow): string[] {
  const done = new Set<RevocationStep['step']>(steps.map(({ step }) => step));
  if (absenceUnseen.some((step) => done.has(step))) done.add('absence_confirmed');
  return revocationSteps[kind].filter((step) => !done.has(step));
}
