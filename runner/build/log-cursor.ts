import { Ajv } from 'ajv';
import { type Static, Type } from 'typebox';

/**
 * Where the log of an attempt stands, kept by the API with the bytes before it: from here another runner goes on so that
 * no byte of output is lost or comes twice. The API does not look into it.
 */
const LogCursor = Type.Object({
  command: Type.Integer({ minimum: 0, description: 'Number of the command whose line was written last.' }),
  offsets: Type.Record(Type.String(), Type.Integer({ minimum: 0 }), {
    description: 'By number of command: up to which byte its output is in the log.',
  }),
  at_line_start: Type.Boolean(),
  full: Type.Boolean(),
  told: Type.Optional(Type.String({ description: 'The outcome, once the line about the end is written.' })),
});
export type LogCursor = Static<typeof LogCursor>;

const validate = new Ajv({ strict: false }).compile<LogCursor>(LogCursor);

/** Throws when the text is no cursor. */
export function parseLogCursor(text: string): LogCursor {
  const cursor: unknown = JSON.parse(text);
  if (!validate(cursor)) throw new Error('The cursor of the log is none that this release knows.');
  return cursor;
}
