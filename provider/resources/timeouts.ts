import { ApiError } from '../client/api-error.ts';
import type { Client } from '../client/client.ts';
import { type Diagnostic, DiagnosticError, failure } from '../plugin/diagnostic.ts';
import type { Attribute } from '../plugin/schema.ts';
import { isValueMap, type Value } from '../plugin/value.ts';

const operations = ['create', 'read', 'update', 'delete'] as const;
export type Bounded = (typeof operations)[number];
const milliseconds: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const form = /^(\d+(\.\d+)?(ms|s|m|h))+$/;
/** What a timer of Node.js can wait. */
const longestHours = 500;

/** `timeouts`, which every resource has. */
export const timeoutsAttribute: Attribute = {
  optional: true,
  description:
    'How long Terraform waits for Ebb, such as `30s`, `10m` or `1h30m`. Ebb goes on with what it has begun.',
  type: {
    nesting: 'single',
    attributes: {
      create: limit(
        'Default: as long as the limits of the source host make it wait, at most about two hours.',
      ),
      read: limit('Default: about two minutes of trying.'),
      update: limit('Default: as for `create`.'),
      delete: limit('Default: `10m`, and as for `create` where Ebb cannot begin.'),
    },
  },
};

function limit(description: string): Attribute {
  return { type: 'string', optional: true, description };
}

export function validateTimeouts(declared: Value): Diagnostic[] {
  return operations.flatMap((operation) => {
    const text = textOf(declared, operation);
    if (text === undefined || inMilliseconds(text) !== undefined) return [];
    const detail = `${JSON.stringify(text)} is not valid. Give a number with its unit, such as 30s, 10m or 1h30m, above zero and up to ${longestHours}h.`;
    const path = ['timeouts', operation];
    return [{ severity: 'error', summary: `Invalid value for timeouts.${operation}`, detail, path }];
  });
}

/** In milliseconds; undefined when none is declared. */
export function timeoutOf(declared: Value, operation: Bounded): number | undefined {
  const text = textOf(declared, operation);
  return text === undefined ? undefined : inMilliseconds(text);
}

interface Context {
  client: Client;
  signal: AbortSignal;
}

/** Runs an operation for as long as `timeouts` gives it, with a client that gives up then. */
export async function inTime<T>(
  { declared, operation, signal, client }: Context & { declared: Value; operation: Bounded },
  run: (context: Context) => Promise<T>,
): Promise<T> {
  const longest = timeoutOf(declared, operation);
  if (longest === undefined) return await run({ client, signal });
  const timeout = AbortSignal.timeout(longest);
  const bounded: Client = {
    ...client,
    request: (request) => client.request({ ...request, signal: timeout }),
  };
  try {
    return await run({ client: bounded, signal: AbortSignal.any([signal, timeout]) });
  } catch (error) {
    const isTold = error instanceof ApiError || error instanceof DiagnosticError;
    if (isTold || !timeout.aborted || signal.aborted) throw error;
    const text = textOf(declared, operation);
    const detail = `Ebb has not ended it within ${text} and may still do so. Run terraform apply again, or raise timeouts.${operation}.`;
    throw failure(`The ${operation} took too long`, detail, ['timeouts', operation]);
  }
}

function textOf(declared: Value, operation: Bounded): string | undefined {
  const text = isValueMap(declared) ? declared[operation] : undefined;
  return typeof text === 'string' ? text : undefined;
}

/** Undefined when the text is no duration that can be waited for. */
function inMilliseconds(text: string): number | undefined {
  if (!form.test(text)) return undefined;
  let sum = 0;
  for (const [, number, unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g))
    sum += Number(number) * (milliseconds[unit] ?? 0);
  return sum >= 1 && sum <= longestHours * 3_600_000 ? Math.round(sum) : undefined;
}
