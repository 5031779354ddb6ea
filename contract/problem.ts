import { type Static, Type } from 'typebox';

/**
 * A problem document: what is wrong with which field and what to do.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9457
 */
export const Problem = Type.Object({
  type: Type.String({ description: '`urn:ebb:problem:` and the code.' }),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String({ description: 'What is wrong and how to mend it.' }),
  code: Type.String({ description: 'Stable, for programs: `not_found`, `validation_failed`, …' }),
  request_id: Type.String(),
  errors: Type.Optional(
    Type.Array(
      Type.Object({
        pointer: Type.String({
          description: 'JSON Pointer to the field in the request body, as a fragment: `#/name`.',
        }),
        detail: Type.String(),
      }),
    ),
  ),
});
export type Problem = Static<typeof Problem>;

/** Media type of a problem document. */
export const problemMediaType = 'application/problem+json';
