import { ProblemError } from '../http/problem-error.ts';
import { SourceHostError, type SourceHostErrorCode } from './errors.ts';

const statuses: Record<SourceHostErrorCode, number> = {
  repository_not_found: 422,
  repository_moved: 422,
  unauthorized: 422,
  refused: 422,
  key_in_use: 409,
  rate_limited: 503,
  unreachable: 503,
  timeout: 503,
};

const late = new ProblemError(
  503,
  'source_host_timeout',
  'The source host did not answer in time. Try again.',
  {
    headers: { 'retry-after': '30' },
  },
);

/** What the caller of the API is told when a source host fails; other errors pass through. */
export function sourceHostProblem(error: unknown): unknown {
  if (error instanceof DOMException && error.name === 'TimeoutError') return late;
  if (!(error instanceof SourceHostError)) return error;
  const status = statuses[error.code];
  const code =
    error.code.startsWith('repository') || error.code === 'key_in_use'
      ? error.code
      : `source_host_${error.code}`;
  const headers: Record<string, string> =
    status === 503 ? { 'retry-after': String(error.retryAfterSeconds ?? 30) } : {};
  return new ProblemError(status, code, error.message, { cause: error, headers });
}
