import type { LeftAtSourceHost } from '../../contract/revocation.ts';
import type { ApiContext } from '../context.ts';
import { ProblemError } from '../http/problem-error.ts';
import { removeByHand } from '../revocation/left-at-source-host.ts';
import { sourceHostProblem } from './source-host-problem.ts';

const tryAgainMs = 300_000;

/** When a removal that the source host did not let happen is tried again. */
export function removeAgainAt({ now }: Pick<ApiContext, 'now'>): Date {
  return new Date(now().getTime() + tryAgainMs);
}

/** What the caller is told of a removal that did not happen: why, what is safe already, and what a person can do. */
export function notRemoved(error: unknown, safe: string, left: readonly LeftAtSourceHost[]): unknown {
  const problem = sourceHostProblem(error);
  if (!(problem instanceof ProblemError)) return problem;
  const { status, code, message, headers } = problem;
  const detail = `${message} ${safe} ${removeByHand(left)} Ebb tries again every five minutes; the same request tries at once.`;
  return new ProblemError(status, code, detail, { cause: error, headers });
}
