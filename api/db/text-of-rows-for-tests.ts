/** Rows as one text in which a secret would be found, also in their bytes, whatever class a driver gives those. */
export function textOfRows(rows: unknown): string {
  return JSON.stringify(rows, function (this: Record<string, unknown>, name, value) {
    // A Buffer has become a list of numbers by now, but not where it comes from.
    const raw = this[name];
    return raw instanceof Uint8Array ? Buffer.from(raw).toString('latin1') : value;
  });
}
