import type { BuildOutcome } from '../../contract/runner.ts';

/** How an attempt ended, thrown from wherever that becomes certain. */
export class BuildEnd extends Error {
  override name = 'BuildEnd';
  readonly outcome: Omit<BuildOutcome, 'attempt'>;

  constructor(outcome: Omit<BuildOutcome, 'attempt'>) {
    super(outcome.reason ?? outcome.outcome);
    this.outcome = outcome;
  }
}

/** The build goes on without this runner: another one has it, or is to have it. */
export class LetGo extends Error {
  override name = 'LetGo';
}

/** The fault of a command: the team sees which one and its exit code. */
export function failed(command: string, exitCode: number): BuildEnd {
  return new BuildEnd({
    outcome: 'failed',
    reason: `A command failed with exit code ${exitCode}.`,
    failed_command: command,
    exit_code: exitCode,
  });
}

/** Not the fault of a command, and trying again would not help. */
export function errored(reason: string): BuildEnd {
  return new BuildEnd({ outcome: 'errored', reason });
}

/** The machinery broke; the build may be tried again on a new VM. */
export function lost(reason: string): BuildEnd {
  return new BuildEnd({ outcome: 'lost', reason });
}
