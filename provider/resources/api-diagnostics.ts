import type { Resource } from '../../contract/resource.ts';
import { ApiError, ApiUnreachableError } from '../client/api-error.ts';
import { type Diagnostic, DiagnosticError, failure, type ValuePath } from '../plugin/diagnostic.ts';
import { attributeName } from './attributes.ts';

/**
 * Tells the user what the API answered: each error of a problem document at its attribute. What is no failure of a
 * request is given back as it is.
 *
 * @param doing what was tried, `create the project`
 */
export function inTerraformsWords(error: unknown, doing: string, { writeOnly }: Resource): unknown {
  return whatTheApiSaid(error, `Cannot ${doing}`, writeOnly);
}

/** The same where no resource is concerned. */
export function whatTheApiSaid(
  error: unknown,
  summary: string,
  writeOnly: Resource['writeOnly'] = {},
): unknown {
  if (error instanceof ApiUnreachableError) {
    return failure(summary, `Ebb does not answer. ${error.message}. Try again when it does.`);
  }
  if (!(error instanceof ApiError)) return error;
  const { problem } = error;
  const hint = replacementHints[problem.code ?? ''] ?? '';
  const request = problem.request_id ? `\n\nRequest ${problem.request_id}, status ${error.status}.` : '';
  const located = (problem.errors ?? []).map(({ pointer, detail }): Diagnostic => {
    const path = pathOf(pointer, writeOnly);
    return { severity: 'error', summary, detail: `${detail}${hint}${request}`, ...(path && { path }) };
  });
  if (located.length > 0) return new DiagnosticError(located);
  return failure(summary, `${error.message}${hint}${request}`);
}

const firstMade =
  '\n\nWhere it is replaced with create_before_destroy, the old one is still there: remove create_before_destroy';

/** By the code of a refusal: what Ebb cannot know, namely that Terraform is about to destroy what is in the way. */
const replacementHints: Record<string, string> = {
  name_taken: `${firstMade}, or choose another name.`,
  deploy_key_exists: `${firstMade}.`,
  hook_binding_exists: `${firstMade}.`,
};

/**
 * A JSON Pointer of a request body as a path of the configuration.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6901
 */
function pathOf(pointer: string, writeOnly: Resource['writeOnly']): ValuePath | undefined {
  const steps = decodeURIComponent(pointer.replace(/^#/, ''))
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step));
  const [field, ...rest] = steps;
  if (typeof field !== 'string') return undefined;
  return [attributeName({ writeOnly }, field), ...rest];
}
