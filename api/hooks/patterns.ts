/** Whether the name of a branch or tag matches one of the patterns: `**` stands for anything, `*` for anything but `/`. */
export function matches(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => matchesOne(name, pattern.match(/\*\*|./gsu) ?? []));
}

/**
 * Follows all ways through the pattern at once, a character of the name at a time: no pattern takes longer than its
 * length times the name's, as a regular expression might.
 */
function matchesOne(name: string, parts: readonly string[]): boolean {
  let reached = withoutStars(new Set([0]), parts);
  for (const character of name) {
    const next = new Set<number>();
    for (const at of reached) {
      const part = parts[at];
      if (part === '**' || (part === '*' && character !== '/')) next.add(at);
      else if (part === character) next.add(at + 1);
    }
    reached = withoutStars(next, parts);
  }
  return reached.has(parts.length);
}

/** Stars may stand for nothing. */
function withoutStars(places: Set<number>, parts: readonly string[]): Set<number> {
  for (const at of places) if (parts[at] === '*' || parts[at] === '**') places.add(at + 1);
  return places;
}
