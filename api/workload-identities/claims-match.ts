/** Whether a token has all these claims. A claim that is a list has each of its values. */
export function claimsMatch(claims: Record<string, unknown>, wanted: Record<string, string>): boolean {
  return Object.entries(wanted).every(([name, pattern]) => {
    if (!Object.hasOwn(claims, name)) return false;
    return [claims[name]].flat().some((value) => isPlain(value) && fits(String(value), pattern));
  });
}

function isPlain(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}

/** `*` stands for any characters, none too. Each part is found as early as can be, so that no pattern takes long. */
function fits(text: string, pattern: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}
