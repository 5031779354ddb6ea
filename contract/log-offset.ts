import { Type } from 'typebox';

/** More than any log has, and no more than the database counts to. */
export const mostOffset = 2 ** 31 - 1;

/** Query of a log: the byte from which on it is read. */
export const LogQuery = Type.Object({
  offset: Type.Optional(Type.Integer({ minimum: 0, maximum: mostOffset })),
});
