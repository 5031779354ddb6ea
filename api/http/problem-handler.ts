import { STATUS_CODES } from 'node:http';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { CustodyError } from '../../contract/custody/custody-error.ts';
import { type Problem, problemMediaType } from '../../contract/problem.ts';
import { QueueFullError } from '../../queue/build-queue.ts';
import { ProblemError } from './problem-error.ts';
import { policyOfData } from './response-headers.ts';
import { explainErrors } from './validation.ts';

/** The border: whatever was thrown becomes a problem document, and only what the caller may know is in it. */
export function answerProblem(error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply) {
  const problem = toProblem(error);
  if (problem.status >= 500 && !expected.has(problem.code))
    request.log.error({ err: error }, 'request failed');
  return reply
    .code(problem.status)
    .headers(problem.headers)
    .type(problemMediaType)
    .serializer(JSON.stringify)
    .send(documentOf(problem, request.id));
}

// Refused for a moment, in good order.
const expected: ReadonlySet<string> = new Set(['stopping', 'still_held']);

/** Answers a URL that is none, for which Fastify looks for no route and runs no hook: with the headers that all answers have. */
export function answerNoUrl(error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply) {
  const headers = {
    'x-request-id': request.id,
    ...{ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' },
    'content-security-policy': policyOfData,
  };
  return answerProblem(error, request, reply.headers(headers));
}

/** The problem document of a request. */
export function documentOf({ status, code, message, errors }: ProblemError, request_id: string): Problem {
  return {
    ...{ type: `urn:ebb:problem:${code}`, title: STATUS_CODES[status] ?? 'Error' },
    ...{ status, detail: message, code, request_id },
    ...(errors.length > 0 ? { errors } : {}),
  };
}

/** Answers where no route is: 405 with what the path allows, or 404 when it allows nothing. */
export function answerNoRoute(methodsAt: (path: string) => string[]) {
  return (request: FastifyRequest, reply: FastifyReply) => {
    const path = request.url.split('?')[0] ?? '';
    const allow = methodsAt(path).join(', ');
    const problem =
      allow === ''
        ? new ProblemError(404, 'not_found', `There is nothing at ${path}. The reference is at /docs.`)
        : new ProblemError(
            405,
            'method_not_allowed',
            `${request.method} is not possible at ${path}. Use ${allow}.`,
            {
              headers: { allow },
            },
          );
    return answerProblem(problem, request, reply);
  };
}

function toProblem(error: FastifyError | Error): ProblemError {
  if (error instanceof ProblemError) return error;
  if (error instanceof QueueFullError) {
    return new ProblemError(503, 'queue_full', error.message, { headers: { 'retry-after': '60' } });
  }
  if (error instanceof CustodyError) {
    const detail = 'The key service did not wrap the key, so nothing was made. Try again.';
    return new ProblemError(503, 'key_service_unavailable', detail, { headers: { 'retry-after': '10' } });
  }
  const { validation, validationContext, statusCode = 500, code } = error as FastifyError;
  if (validation) {
    const errors = explainErrors(validation as Parameters<typeof explainErrors>[0]);
    const detail = errors.map((each) => each.detail).join(' ') || error.message;
    const status = validationContext === 'body' ? 422 : 400;
    return new ProblemError(status, 'validation_failed', detail, { errors });
  }
  if (statusCode < 500)
    return new ProblemError(statusCode, codes[code] ?? 'bad_request', messages[code] ?? error.message);
  return new ProblemError(
    500,
    'internal_error',
    'Something broke inside Ebb. Try again; if it stays, report the request id.',
  );
}

const codes: Record<string, string> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'empty_body',
  FST_ERR_CTP_INVALID_JSON_BODY: 'invalid_json',
  FST_ERR_BAD_URL: 'invalid_url',
  FST_ERR_MAX_PARAM_LENGTH: 'id_too_long',
};

const messages: Record<string, string> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'The body is larger than 1 MiB. Send less at once.',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'The Content-Type is not understood. Send application/json.',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'The body is empty. Send a JSON object.',
  FST_ERR_CTP_INVALID_JSON_BODY: 'The body is not valid JSON. Send a JSON object.',
  FST_ERR_BAD_URL: 'The path is not a valid URL. Check its percent-encoding.',
  FST_ERR_MAX_PARAM_LENGTH: 'A part of the path is longer than any id or name. Check it.',
};
