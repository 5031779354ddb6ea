/** Whether RFC 3339 times never go back; null is a moment that did not come. */
export function ascends(times: (string | null)[]): boolean {
  const known = times.filter((time) => time !== null).map((time) => Date.parse(time));
  return known.every((time, index) => index === 0 || time >= (known[index - 1] ?? time));
}
