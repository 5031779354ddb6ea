/**
 * - `host_key_mismatch`: the server did not show the pinned host key; nothing was sent to it.
 * - `auth_failed`: the server does not accept the user's key.
 * - `timeout`: not connected and logged in within the time given.
 * - `connection_lost`: refused, reset, closed or silent; the work may or may not have happened.
 * - `aborted`: the caller's signal fired.
 */
export type SshErrorCode = 'host_key_mismatch' | 'auth_failed' | 'timeout' | 'connection_lost' | 'aborted';

/** Everything that goes wrong on an SSH connection. */
export class SshError extends Error {
  override name = 'SshError';
  readonly code: SshErrorCode;

  constructor(code: SshErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
