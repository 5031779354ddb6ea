import { ProblemError } from './problem-error.ts';

/**
 * Splits an import id such as `acme/shop` into its named parts; undefined when none was given. Throws 400 when it has
 * another number of parts.
 */
export function splitNaturalId<const Part extends string>(
  text: string | undefined,
  parts: readonly Part[],
): Record<Part, string> | undefined {
  if (text === undefined) return undefined;
  const values = text.split('/');
  if (values.length !== parts.length || values.includes('')) {
    throw new ProblemError(
      400,
      'invalid_natural_id',
      `natural_id must have the form ${parts.join('/')}, not ${JSON.stringify(text)}.`,
    );
  }
  return Object.fromEntries(parts.map((part, index) => [part, values[index]])) as Record<Part, string>;
}
