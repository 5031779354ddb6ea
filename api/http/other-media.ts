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

/** How a route tells of an answer that has no body. */
export const nothing = Type.Unsafe<void>({ type: 'null' });

/** How a route tells that it leads a browser elsewhere. */
export const redirection = Type.Unsafe<void>({
  ...{ type: 'null', description: 'Go on at `location`.' },
  headers: { location: { type: 'string', format: 'uri' } },
});
