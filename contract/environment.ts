import { readFileSync } from 'node:fs';
import { Ajv, type ErrorObject } from 'ajv';
import formats from 'ajv-formats';
import type { Static, TObject } from 'typebox';

/** Everything that is wrong with a process's environment variables, one line each. */
export class ConfigurationError extends Error {
  override name = 'ConfigurationError';
  readonly code = 'configuration_invalid';
  readonly problems: string[];

  constructor(problems: string[]) {
    super(
      `The configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n${problems.map((line) => `  - ${line}`).join('\n')}`,
    );
    this.problems = problems;
  }
}

/**
 * Reads a process's configuration from environment variables. For a variable `X` the variable `X_FILE` may name a file
 * that holds its value, as secrets should. Numbers and booleans are read from text, defaults filled in.
 * Throws ConfigurationError, which names every problem at once and shows no value.
 *
 * @param schema an object whose properties are named as the variables
 * @param environment usually `process.env`; variables that the schema does not name are ignored
 */
export function readEnvironment<T extends TObject>(schema: T, environment: NodeJS.ProcessEnv): Static<T> {
  const { values, problems } = readVariables(schema, environment);
  if (problems.length > 0) throw new ConfigurationError(problems);
  return values as Static<T>;
}

/** The same for who wants to judge the values further before it throws: all that was read, beside all problems. */
export function readVariables(
  schema: TObject,
  environment: NodeJS.ProcessEnv,
): { values: Record<string, unknown>; problems: string[] } {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(schema.properties)) {
    const value = readVariable(name, environment, problems);
    if (value !== undefined) values[name] = value;
  }
  const ajv = new Ajv({ allErrors: true, coerceTypes: true, useDefaults: true, strict: false });
  formats.default(ajv);
  if (!ajv.validate(schema, values))
    problems.push(...(ajv.errors ?? []).map((error) => explain(schema, error)));
  return { values, problems: [...new Set(problems)] };
}

/** An empty variable counts as absent, as people expect of `X= command`. */
function readVariable(name: string, environment: NodeJS.ProcessEnv, problems: string[]): string | undefined {
  const direct = environment[name] || undefined;
  const path = environment[`${name}_FILE`] || undefined;
  if (direct !== undefined && path !== undefined) {
    problems.push(`${name} and ${name}_FILE are both set. Keep one of them.`);
  }
  if (direct !== undefined || path === undefined) return direct;
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    problems.push(
      `${name}_FILE names ${path}, which cannot be read (${(error as NodeJS.ErrnoException).code}).`,
    );
    return undefined;
  }
}

function explain(schema: TObject, error: ErrorObject): string {
  const name =
    error.keyword === 'required' ? String(error.params.missingProperty) : error.instancePath.slice(1);
  const { description } = (schema.properties[name] ?? {}) as { description?: string };
  const problem = error.keyword === 'required' ? 'is not set' : error.message;
  return `${name} ${problem}.${description ? ` ${description}` : ''}`;
}
