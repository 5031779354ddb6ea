import { Ajv, type ErrorObject } from 'ajv';
import formats from 'ajv-formats';
import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';

const common = { allErrors: true, useDefaults: true, removeAdditional: false, strict: false } as const;

/** Bodies are taken as they are; queries and headers are text, so numbers in them are read. */
export function createValidatorCompiler(): FastifySchemaCompiler<TSchema> {
  const body = new Ajv({ ...common, verbose: true });
  const text = new Ajv({ ...common, coerceTypes: true });
  for (const ajv of [body, text]) formats.default(ajv);
  return ({ schema, httpPart }) => (httpPart === 'body' ? body : text).compile(schema);
}

// Nobody reads more, and a body of nothing but mistakes would get an answer many times its length.
const maxErrors = 50;

/** One sentence for each thing that is wrong, the first fifty, with a pointer to the field (RFC 6901, as a URI fragment). */
export function explainErrors(errors: readonly ErrorObject[]): { pointer: string; detail: string }[] {
  return errors
    .filter((error) => !combining.has(error.keyword) && !isNullAlternative(error))
    .slice(0, maxErrors)
    .map((error) => ({ pointer: pointerOf(error), detail: explain(error) }));
}

// These only say that one of their parts is wrong, which is an error of its own.
const combining = new Set(['anyOf', 'oneOf', 'allOf', 'if']);

/** "must be null" of a member that may also be something else: that something has an error of its own. */
function isNullAlternative({ keyword, params, schemaPath }: ErrorObject): boolean {
  return keyword === 'type' && params.type === 'null' && schemaPath.includes('/anyOf/');
}

function pointerOf(error: ErrorObject): string {
  const { missingProperty, additionalProperty, propertyName } = error.params as Record<
    string,
    string | undefined
  >;
  const member = missingProperty ?? additionalProperty ?? propertyName;
  const path = member === undefined ? '' : `/${member.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  return `#${error.instancePath}${path}`;
}

function explain(error: ErrorObject): string {
  const { params } = error;
  const pointer = pointerOf(error);
  const name = pointer === '#' ? 'The body' : pointer.split('/').at(-1);
  switch (error.keyword) {
    case 'required':
      return `${name} is missing. Add it.`;
    case 'additionalProperties':
      return `${name} is not known here. Remove it, or check its spelling.`;
    case 'enum':
      return `${name} must be one of ${(params.allowedValues as unknown[]).map((value) => JSON.stringify(value)).join(', ')}.`;
    case 'pattern': {
      const { description } = (error.parentSchema ?? {}) as { description?: string };
      return `${name} has a form that is not allowed; it must match ${params.pattern}.${description ? ` ${description}` : ''}`;
    }
    case 'type':
      return pointer === '#'
        ? `The body must be a JSON ${params.type}: {"name": …}. Send one, with the content type application/json.`
        : `${name} must be of type ${params.type}.`;
    default:
      return `${name} ${error.message}.`;
  }
}
