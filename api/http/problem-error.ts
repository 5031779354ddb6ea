/**
 * Something that the caller must know: it becomes a problem document (RFC 9457) at the border and is thrown anywhere
 * below. `detail` names the field, the value's problem and the fix.
 */
export class ProblemError extends Error {
  override name = 'ProblemError';
  readonly status: number;
  readonly code: string;
  readonly errors: { pointer: string; detail: string }[];
  readonly headers: Record<string, string>;

  constructor(
    status: number,
    code: string,
    detail: string,
    more: {
      errors?: { pointer: string; detail: string }[];
      headers?: Record<string, string>;
      cause?: unknown;
    } = {},
  ) {
    super(detail, { cause: more.cause });
    this.status = status;
    this.code = code;
    this.errors = more.errors ?? [];
    this.headers = more.headers ?? {};
  }
}

/** 404 for what does not exist or belongs to another team: the two look alike on purpose. */
export function notFound(what: string, id: string): ProblemError {
  return new ProblemError(404, 'not_found', `There is no ${what} ${JSON.stringify(id)}.`);
}

/** 422 at one field of the request body. */
export function invalidField(field: string, detail: string): ProblemError {
  return new ProblemError(422, 'validation_failed', detail, { errors: [{ pointer: `#/${field}`, detail }] });
}

/** 409: the request is well-formed but does not fit what is there. */
export function conflict(code: string, detail: string, field?: string): ProblemError {
  return new ProblemError(409, code, detail, field ? { errors: [{ pointer: `#/${field}`, detail }] } : {});
}
