/** Controls and marks of direction could make a line of a list, of a terminal or of a mail look like another. */
export const plainText = {
  pattern: '^[^\\x00-\\x1f\\x7f-\\x9f\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]+$',
};
