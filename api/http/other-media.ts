import { Type } from 'typebox';

/** How a route tells of an answer that is text of this media type, a stream of it too. */
export function textOf(mediaType: string) {
  return {
    200: {
      description: 'What was asked for.',
      content: { [mediaType]: { schema: Type.Unsafe<unknown>({ type: 'string' }) } },
    },
  };
}
