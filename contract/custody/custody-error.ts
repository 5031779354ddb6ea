/** Which check failed: another key, another project or purpose, a damaged text, a refusal or an absence of the key service. */
export type CustodyProblem = 'wrong_key' | 'wrong_context' | 'damaged' | 'not_allowed' | 'unavailable';

/** What cannot be opened, wrapped or unwrapped. The sentence says which check failed and shows nothing secret. */
export class CustodyError extends Error {
  override name = 'CustodyError';
  readonly code: CustodyProblem;

  constructor(code: CustodyProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
