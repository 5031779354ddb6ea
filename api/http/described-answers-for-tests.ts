import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from './app-type.ts';

/** An answer as a client gets it. */
export interface Answer {
  method: string;
  /** As the route declares it, `/v1/projects/:id`; undefined where no route is. */
  path: string | undefined;
  status: number;
  headers: Record<string, unknown>;
  /** Undefined for a stream. */
  body: string | undefined;
}

interface Response {
  headers?: object;
  content?: Record<string, object>;
}

/** Judges answers by an OpenAPI document: gives what is wrong with one, undefined when it is described. */
export function createAnswerJudge(document: object) {
  const { paths, components } = document as {
    paths: Record<string, Record<string, { responses: Record<string, Response & { $ref?: string }> }>>;
    components: { responses: Record<string, Response> };
  };
  const ajv = new Ajv2020({ strict: false });
  formats.default(ajv);
  ajv.addSchema(document, 'api');
  const validators = new Map<string, ValidateFunction>();
  const validatorAt = (pointer: string) => {
    const found = validators.get(pointer) ?? ajv.compile({ $ref: `api#${pointer}` });
    validators.set(pointer, found);
    return found;
  };

  return ({ method, path, status, headers, body }: Answer): string | undefined => {
    const verb = method === 'HEAD' ? 'get' : method.toLowerCase();
    const described = path?.replace(/:(\w+)/g, '{$1}') ?? '';
    const operation = paths[described]?.[verb];
    // Pages of the reference are hidden in it.
    if (path !== undefined && !operation) return undefined;
    const response = operation?.responses[status] ?? (operation ? undefined : nowhere[status]);
    if (!response) return `${status} is not described: ${body?.slice(0, 300)}`;
    const name = response.$ref?.split('/').at(-1);
    const { content = {}, headers: promised = {} } = (name && components.responses[name]) || response;
    for (const header of ['retry-after', 'x-request-id'])
      if (header in promised && headers[header] === undefined)
        return `${status} lacks ${header}: ${body?.slice(0, 300)}`;
    if (method === 'HEAD' || body === undefined) return undefined;
    const mediaType = String(headers['content-type'] ?? '').split(';')[0] ?? '';
    if (body === '' && Object.keys(content).length === 0) return undefined;
    if (!(mediaType in content))
      return `${status} is not described as ${mediaType || 'empty'}: ${body?.slice(0, 300)}`;
    if (!/[/+]json$/.test(mediaType)) return undefined;
    const at = name
      ? `/components/responses/${name}`
      : `/paths/${escaped(described)}/${verb}/responses/${status}`;
    const validate = operation ? validatorAt(`${at}/content/${escaped(mediaType)}/schema`) : isProblem();
    if (validate(JSON.parse(body))) return undefined;
    return `${status} has another form: ${ajv.errorsText(validate.errors)}: ${body?.slice(0, 300)}`;
  };

  function isProblem(): ValidateFunction {
    return validatorAt('/components/schemas/Problem');
  }
}

/** What is answered where no route is, or before one is looked for. */
const nowhere: Record<number, Response & { $ref?: string }> = Object.fromEntries(
  [400, 403, 404, 405, 408, 413, 414, 415, 429, 431, 503].map((status) => [
    status,
    { content: { 'application/problem+json': {} } },
  ]),
);

/** See RFC 6901; in a fragment braces are encoded. */
function escaped(part: string): string {
  return encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));
}

/** Watches what the app of a test answers, whoever asks; what the OpenAPI document does not have is an error at the end. */
export function watchAnswers() {
  const wrong = new Set<string>();
  let judge: ReturnType<typeof createAnswerJudge> | undefined;
  const look = (app: App, request: FastifyRequest, reply: FastifyReply, payload: unknown) => {
    judge ??= createAnswerJudge(app.swagger());
    const found = judge({
      ...{ method: request.method, path: request.routeOptions.url, status: reply.statusCode },
      headers: reply.getHeaders(),
      body:
        typeof payload === 'string' || Buffer.isBuffer(payload) ? String(payload) : payload ? undefined : '',
    });
    if (found !== undefined)
      wrong.add(`${request.method} ${request.routeOptions.url ?? request.url}: ${found}`);
  };
  return {
    add: (app: App) =>
      void app.addHook('onSend', async (request, reply, payload) => look(app, request, reply, payload)),
    /** Lets the test file fail for each answer that is not described; it does not throw, so that what was opened is closed. */
    requireDescribed() {
      if (wrong.size === 0) return;
      process.exitCode = 1;
      console.error(
        `These answers are not in the OpenAPI document; mend them, or add them to api/http/own-refusals.ts:\n${[...wrong].join('\n')}`,
      );
    },
  };
}
