/**
 * Reads once, of a database or another source, what several ask for at once: who asks for something while it is read gets the next reading of it, so that every
 * answer was read after it was asked for. What fails or takes long concerns those alone who ask for the same. Not for use within
 * a transaction.
 *
 * @param nameOf the same for keys that are the same
 */
export function shareReads<S extends object, K, V>(
  read: (source: S, key: K) => Promise<V>,
  nameOf: (key: K) => string,
): (source: S, key: K) => Promise<V> {
  const linesOf = new WeakMap<S, Map<string, Line<V>>>();
  return (source, key) => {
    const lines = linesOf.get(source) ?? new Map<string, Line<V>>();
    linesOf.set(source, lines);
    const name = nameOf(key);
    const line = lines.get(name);
    if (!line) return begin(lines, name, () => read(source, key));
    line.next ??= line.current.catch(() => undefined).then(() => begin(lines, name, () => read(source, key)));
    return line.next;
  };
}

interface Line<V> {
  current: Promise<V>;
  next?: Promise<V>;
}

function begin<V>(lines: Map<string, Line<V>>, name: string, read: () => Promise<V>): Promise<V> {
  const line: Line<V> = { current: read() };
  lines.set(name, line);
  const end = () => {
    if (!line.next) lines.delete(name);
  };
  line.current.then(end, end);
  return line.current;
}
