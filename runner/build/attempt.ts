import type { Milestone } from '../../contract/build.ts';
import type { BuildSpecification } from '../../contract/runner.ts';
import type { ProjectVault } from '../custody/open.ts';
import type { BuildLog } from './build-log.ts';
import type { BuildReports } from './control-plane.ts';
import type { CustodyLog } from './custody-log.ts';
import type { RunnerContext } from './runner-context.ts';

/** One attempt, and all it touches. */
export interface Attempt {
  context: RunnerContext;
  specification: BuildSpecification;
  reports: BuildReports;
  vault: ProjectVault;
  custody: CustodyLog;
  log: BuildLog;
  signal: AbortSignal;
}

/** A milestone that is reached now. */
export function at(milestone: Milestone) {
  return { milestone, at: new Date().toISOString() };
}
