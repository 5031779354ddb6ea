import { longestGrantDays } from '../../contract/access-grant.ts';
import { invalidField } from '../http/problem-error.ts';

const dayMs = 24 * 60 * 60_000;

/** Whether a grant lasts. One that was seen to have ended does not, whatever the clock says by now. */
export function grantLasts(
  grant: { ends_at: Date; ended_at: Date | null; deleted_at: Date | null },
  now: Date,
): boolean {
  return grant.ended_at === null && grant.deleted_at === null && now < grant.ends_at;
}

/** The moment that `ends_at` names. Throws 422 when it is none, over already, or too far from the grant's creation. */
export function requireEnd(text: string, createdAt: Date, now: Date): Date {
  const end = new Date(text);
  if (Number.isNaN(end.getTime()))
    throw invalidField('ends_at', `ends_at is ${text}, which is no moment. Check the day and the time.`);
  if (end <= now)
    throw invalidField(
      'ends_at',
      `ends_at is ${text}, which is over: it is ${now.toISOString()}. Name a later moment; DELETE ends a grant.`,
    );
  const latest = new Date(createdAt.getTime() + longestGrantDays * dayMs);
  if (end > latest)
    throw invalidField(
      'ends_at',
      `ends_at is ${text}, more than ${longestGrantDays} days after the grant was given. Name ${latest.toISOString()} at the latest.`,
    );
  return end;
}
