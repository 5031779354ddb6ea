import { conflict } from '../http/problem-error.ts';

/** Throws 409 when a report is of an attempt that the build has left behind: its VM speaks for nobody any more. */
export function requireAttempt(build: { attempt: number }, attempt: number): void {
  if (build.attempt === attempt) return;
  throw conflict('old_attempt', `This is attempt ${attempt}, but the build is at attempt ${build.attempt}.`);
}
