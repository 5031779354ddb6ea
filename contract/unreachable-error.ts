/** A server that a process needs does not answer, or is not the one that was asked for. Says which and what to check. */
export class UnreachableError extends Error {
  override name = 'UnreachableError';
  readonly code = 'unreachable';

  /**
   * @param what such as `Redis`
   * @param address `host:port`, without user and password
   * @param check which variables to look at
   * @param cause what the client said
   */
  constructor(what: string, address: string, check: string, cause: Error) {
    super(`${what} at ${address} does not answer: ${cause.message || cause.name}. Check ${check}.`, {
      cause,
    });
  }
}
