import type { Problem } from '../../contract/problem.ts';

/** The API answered, and not with success. */
export class ApiError extends Error {
  readonly code = 'api_error';
  readonly status: number;
  readonly problem: Partial<Problem>;

  constructor(status: number, problem: Partial<Problem>) {
    super(problem.detail ?? problem.title ?? `The API answered with status ${status}.`);
    this.name = 'ApiError';
    this.status = status;
    this.problem = problem;
  }
}

/** The API did not answer: no connection, no valid certificate, no answer in time, or something else in its place. */
export class ApiUnreachableError extends Error {
  readonly code = 'api_unreachable';

  constructor(request: string, cause: unknown) {
    super(`${request} failed: ${causeInWords(cause)}`, { cause });
    this.name = 'ApiUnreachableError';
  }
}

/** `fetch` hides the reason one or two causes deep. */
function causeInWords(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  if (cause instanceof AggregateError && cause.errors.length > 0) return causeInWords(cause.errors[0]);
  if (cause.cause instanceof Error) return causeInWords(cause.cause);
  return cause.name === 'TimeoutError' ? 'no answer in time' : cause.message;
}
