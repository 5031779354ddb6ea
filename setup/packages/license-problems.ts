import { type LockedPackage, packageName } from './lock-file.ts';

/** Ask for no more than that their text comes along. */
const permissive = [
  ...['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'BlueOak-1.0.0', 'ISC', 'MIT', 'MIT-0'],
  ...['Unlicense', 'Zlib'],
];

/** Binds who changes a file of the package; tools are used as they are and go to nobody. */
const development = [...permissive, 'MPL-2.0'];

/** Judged one by one: what they bind to does not concern a package that is used as it is. */
const judged = new Map([
  ['cdktf', 'MPL-2.0'],
  ['jsonify', 'Public Domain'],
]);

/**
 * Packages that come under another license than those that Ebb may use, one line each.
 *
 * @param licenseOf what a package says itself, for those whose license the lock does not tell
 */
export function licenseProblems(
  packages: ReadonlyMap<string, LockedPackage>,
  licenseOf: (path: string) => string | undefined,
): string[] {
  return [...packages].flatMap(([path, entry]) => {
    const name = packageName(path);
    const license = entry.license ?? licenseOf(path);
    const what = `${name} ${entry.version}`;
    if (license === undefined)
      return [
        `${what} names no license. Read its files; use it only when they say one, and name it in setup/packages/license-problems.ts.`,
      ];
    if (judged.get(name) === license || mayUse(license, entry.dev ? development : permissive)) return [];
    return [
      `${what} has the license ${license}, which is not among those that ${entry.dev ? 'tools' : 'what runs'} may have. Use another package, or have the license judged and name it in setup/packages/license-problems.ts.`,
    ];
  });
}

/** An SPDX expression of one level: AND binds more than OR. What has more levels is for a person to judge. */
function mayUse(expression: string, allowed: readonly string[]): boolean {
  const bare = expression.replace(/^\((.*)\)$/, '$1');
  return bare.split(' OR ').some((choice) => choice.split(' AND ').every((id) => allowed.includes(id)));
}
