import type { ErrorObject } from 'ajv';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { tokenExchange } from '../../contract/token.ts';
import { ProblemError } from '../http/problem-error.ts';

const statuses = {
  invalid_request: 400,
  invalid_scope: 400,
  unsupported_grant_type: 400,
  invalid_client: 401,
  server_error: 500,
} as const;

/**
 * What the token endpoint refuses; it has a form of its own.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6749#section-5.2
 */
export class OAuthError extends Error {
  override name = 'OAuthError';
  readonly code: keyof typeof statuses;

  constructor(code: OAuthError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** The token endpoint's border: whatever was thrown becomes `error` and `error_description`. */
export function answerOAuthError(error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply) {
  // To be tried again, not to be taken for a refusal.
  const later = error instanceof ProblemError && [429, 503].includes(error.status) ? error : undefined;
  if (later) reply.headers(later.headers);
  const known = toOAuthError(error);
  const status = later?.status ?? statuses[known.code];
  if (status === 500) request.log.error({ err: error }, 'request failed');
  if (status === 401) reply.header('www-authenticate', 'Basic realm="Ebb"');
  return reply
    .code(status)
    .type('application/json')
    .serializer(JSON.stringify)
    .send({ error: known.code, error_description: known.message });
}

function toOAuthError(error: FastifyError | Error): OAuthError {
  if (error instanceof OAuthError) return error;
  const { validation, statusCode = 500 } = error as FastifyError;
  if (validation) return explain(validation as unknown as ErrorObject[]);
  if (error instanceof ProblemError && error.status >= 500)
    return new OAuthError('server_error', error.message);
  if ('status' in error || statusCode < 500) return new OAuthError('invalid_request', error.message);
  return new OAuthError('server_error', 'Something broke inside Ebb.');
}

/** The values are left out of the message: one of them is the API key. */
function explain(errors: readonly ErrorObject[]): OAuthError {
  const missing = errors.filter(({ keyword }) => keyword === 'required');
  const repeated = errors.filter(({ keyword }) => keyword === 'type');
  if (missing.length > 0) {
    const names = missing.map(({ params }) => String(params.missingProperty)).join(', ');
    return new OAuthError('invalid_request', missingText(names));
  }
  if (repeated.length > 0) {
    const names = repeated.map(({ instancePath }) => instancePath.slice(1)).join(', ');
    return new OAuthError('invalid_request', `${names} must be given once, as text.`);
  }
  if (errors.every(({ instancePath }) => instancePath === '/grant_type'))
    return new OAuthError(
      'unsupported_grant_type',
      `grant_type must be client_credentials or ${tokenExchange}.`,
    );
  const wrong = [...new Set(errors.map(({ instancePath }) => instancePath.slice(1)))].join(', ');
  return new OAuthError('invalid_request', `${wrong} is not in its form. See the reference at /docs.`);
}

/** For the grant type that most ask for. */
export function missingText(names: string): string {
  return `${names} missing. Send grant_type=client_credentials and client_secret, form-encoded.`;
}
