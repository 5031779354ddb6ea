import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Plugin } from 'esbuild';

const contract = fileURLToPath(new URL('../../contract/', import.meta.url));

/**
 * Takes the contract's schemas into a bundle as what they are once they were made, not as the program that makes them: the
 * provider starts for every command of Terraform, and reading the library that makes them would take longer than all
 * else it does. A module that has no schema, but functions, is bundled as usual.
 */
export const contractAsData: Plugin = {
  name: 'contract-as-data',
  setup(build) {
    build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      if (!path.startsWith(contract)) return undefined;
      const exported: Record<string, unknown> = await import(pathToFileURL(path).href);
      const entries = Object.entries(exported).filter(([, value]) => typeof value !== 'function');
      // What is left out here is missed by esbuild when somebody imports it.
      return entries.length === 0 ? undefined : { contents: sourceOf(entries), loader: 'js' };
    });
  },
};

/** A module of constants; what several of them share is written once. */
export function sourceOf(entries: readonly [string, unknown][]): string {
  const uses = new Map<object, number>();
  for (const [, value] of entries) countUses(value, uses);
  const names = new Map<object, string>();
  const lines: string[] = [];
  const write = (value: unknown): string => {
    if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'undefined';
    const known = names.get(value);
    if (known) return known;
    const text = Array.isArray(value) ? `[${value.map(write).join()}]` : `{${members(value)}}`;
    if ((uses.get(value) ?? 0) < 2) return text;
    const name = `shared${names.size}`;
    names.set(value, name);
    lines.push(`const ${name}=${text};`);
    return name;
  };
  const members = (value: object) => {
    const own = Object.entries(value).map(([name, inner]) => `${JSON.stringify(name)}:${write(inner)}`);
    // TypeBox's mark of an optional member cannot be enumerated.
    return [...own, ...('~optional' in value ? ['"~optional":true'] : [])].join();
  };
  const exports = entries.map(([name, value]) => `export const ${name}=${write(value)};`);
  return [...lines, ...exports].join('\n');
}

function countUses(value: unknown, uses: Map<object, number>): void {
  if (typeof value !== 'object' || value === null) return;
  const before = uses.get(value) ?? 0;
  uses.set(value, before + 1);
  if (before === 0) for (const inner of Object.values(value)) countUses(inner, uses);
}
