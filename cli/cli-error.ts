/** What a person at the terminal can mend; shown without a stack. */
export class CliError extends Error {
  override name = 'CliError';
}

/** What the API answered instead of doing what it was asked. */
export class RefusedError extends CliError {
  override name = 'RefusedError';
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}
