import { maxBranches } from './source-host.ts';

/**
 * - `repository_not_found`: no such repository, or the host hides it from us.
 * - `repository_moved`: it has another name now.
 * - `unauthorized`: the host does not take the connection's credential.
 * - `rate_limited`: the host wants fewer requests; `retryAfterSeconds` says when to try again.
 * - `unreachable`: the host does not answer, or fails; what was asked may have happened, and trying again may help.
 * - `timeout`: it did not answer in time; what was asked may or may not have happened.
 * - `refused`: it answered no; trying again does not help.
 * - `key_in_use`: it knows this SSH key already, for somebody else.
 */
export type SourceHostErrorCode =
  | 'repository_not_found'
  | 'repository_moved'
  | 'unauthorized'
  | 'rate_limited'
  | 'unreachable'
  | 'timeout'
  | 'refused'
  | 'key_in_use';

/** What goes wrong at a source host. The message tells the user what to do and holds no secret. */
export class SourceHostError extends Error {
  override name = 'SourceHostError';
  readonly code: SourceHostErrorCode;
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: SourceHostErrorCode,
    message: string,
    options: ErrorOptions & { retryAfterSeconds?: number } = {},
  ) {
    super(message, options);
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

// `unreachable` is not among them: a host may have done what was asked before its answer got lost.
const withoutEffect: readonly SourceHostErrorCode[] = [
  ...(['repository_not_found', 'repository_moved', 'unauthorized'] as const),
  ...(['rate_limited', 'refused', 'key_in_use'] as const),
];

/**
 * Whether the host surely did nothing of the call that threw this. Says nothing of calls before it: what one of them
 * may have left is still there.
 */
export function provesNothingHappened(error: unknown): boolean {
  return error instanceof SourceHostError && withoutEffect.includes(error.code);
}

/** Branches that come in pages cannot all be looked at, every few minutes, in any number. */
export function tooManyBranches(repository: string): SourceHostError {
  const message = `${repository} has more than ${maxBranches} branches, so Ebb does not compare them: a push whose webhook is lost is not built. Delete branches that are merged.`;
  return new SourceHostError('refused', message);
}

/** What the call gives; `otherwise` when the thing, or its whole repository, is not there. */
export async function unlessGone<T>(call: () => Promise<T>): Promise<T | undefined>;
export async function unlessGone<T, D>(call: () => Promise<T>, otherwise: D): Promise<T | D>;
export async function unlessGone<T, D>(call: () => Promise<T>, otherwise?: D): Promise<T | D | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof SourceHostError && error.code === 'repository_not_found') return otherwise;
    throw error;
  }
}
