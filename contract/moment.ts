import { Type } from 'typebox';

/**
 * A moment that somebody tells, as RFC 3339 has it, of a year and a second that every clock and database knows: PostgreSQL
 * has no year 0, and JavaScript no leap second.
 */
export const Moment = Type.String({
  format: 'date-time',
  // Whole, and no part of it may be read twice: a validator tries it on texts that are too long, too.
  pattern:
    '^(19[7-9]|2[0-9]{2})[0-9]-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-5][0-9]([.][0-9]+)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)$',
  maxLength: 40,
});
