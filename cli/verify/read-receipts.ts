/** One receipt of a file; `value` is undefined when that part of the file is no JSON. */
export interface FoundReceipt {
  /** Where it stands, for people: `receipt 2`. */
  place: string;
  value: unknown;
}

/**
 * The receipts in a text: an envelope, a receipt as the API answers it, a list or page of either, or JSON Lines. What
 * cannot be read is among them, for the checks to refuse; a text without receipts gives none.
 */
export function readReceipts(text: string): FoundReceipt[] {
  const whole = parse(text);
  const values =
    whole === undefined
      ? text
          .split('\n')
          .filter((line) => line.trim() !== '')
          .map(parse)
      : [whole];
  return values.flatMap(listed).map((value, index) => ({ place: `receipt ${index + 1}`, value }));
}

function listed(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  const { items } = (value ?? {}) as { items?: unknown };
  return Array.isArray(items) ? items : [value];
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
