/**
 * Characters, as they stand between the brackets of a pattern, that are not seen but steer a terminal or the direction of a
 * text, or make one name look like another: controls, marks of direction, characters without width. Without the two joiners,
 * which scripts and emoji need.
 */
export const steering =
  '\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff';

/** They could make a line of a list, of a terminal or of a mail look like another. */
export const plainText = { pattern: `^[^${steering}]+$` };
