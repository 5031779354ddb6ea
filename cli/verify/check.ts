/** One thing that was looked at, and what was found, as a sentence. */
export interface Check {
  name: string;
  ok: boolean;
  detail: string;
}

/** Remembers a check that passed. */
export type Note = (name: string, found: string) => void;

/** The check that failed. What comes after it was not looked at. */
export class FailedCheck extends Error {
  override name = 'FailedCheck';
  readonly check: string;

  constructor(check: string, problem: string) {
    super(problem);
    this.check = check;
  }
}

/** Notes what was found, or throws FailedCheck when there is a problem. */
export function decide(note: Note, name: string, problem: string | undefined, found: string): void {
  if (problem !== undefined) throw new FailedCheck(name, problem);
  note(name, found);
}

/** Runs checks up to the first that fails; `value` is there when none did. Throws nothing of their making. */
export function runChecks<T>(work: (note: Note) => T): { checks: Check[]; value?: T } {
  const checks: Check[] = [];
  try {
    const value = work((name, detail) => void checks.push({ name, ok: true, detail }));
    return { checks, value };
  } catch (error) {
    if (!(error instanceof FailedCheck)) throw error;
    return { checks: [...checks, { name: error.check, ok: false, detail: error.message }] };
  }
}

/** Whether RFC 3339 times never go back; null is a moment that did not come. */
export function ascends(times: (string | null)[]): boolean {
  const known = times.filter((time) => time !== null).map((time) => Date.parse(time));
  return known.every((time, index) => index === 0 || time >= (known[index - 1] ?? time));
}
