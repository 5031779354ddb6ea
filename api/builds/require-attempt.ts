import { conflict } from '../http/problem-error.ts';

/** Throws 409 when a report is of an attempt that the build has left behind: its VM speaks for nobody any more. */
export function requireAttempt(build: { attempt: number }, attempt: number): void {
  if (build.attempt === attempt) return;
  throw conflict('old_attempt', `This is attempt ${attempt}, but the build is at attempt ${build.attempt}.`);
}

/**
 * Throws 409 `taken_over` when the attempt went on under another lease than the token was made for: of two runners only
 * the one that has the lease speaks for it.
 */
export function requireLease(
  build: { attempt: number; lease_holder: string | null },
  { attempt, leaseHolder }: { attempt?: number | undefined; leaseHolder?: string | undefined },
): void {
  // An attempt that was given up has no lease, and its runner may still tell what became of its VM.
  if (leaseHolder === undefined || build.attempt !== attempt || build.lease_holder === null) return;
  if (build.lease_holder === leaseHolder) return;
  throw conflict('taken_over', 'Another runner took this attempt over. Leave its VM alone.');
}
