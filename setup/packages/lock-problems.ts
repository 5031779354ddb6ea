import { type Lock, type LockedPackage, type Manifest, packageName } from './lock-file.ts';

/** Have an install script that only builds what they do without, or that looks whether the right binary is there. */
const workWithoutScript = ['cpu-features', 'esbuild', 'msgpackr-extract', 'protobufjs', 'ssh2'];

const exactVersion = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;
const registry = 'https://registry.npmjs.org/';

/** Why an install could bring something else than what was looked at, or run something; one line each. */
export function lockProblems({ manifest, packages }: Pick<Lock, 'manifest' | 'packages'>): string[] {
  return [
    ...rangeProblems(manifest),
    ...[...packages].flatMap(([path, entry]) => packageProblems(path, entry)),
  ];
}

function rangeProblems(manifest: Manifest): string[] {
  const { dependencies, devDependencies, optionalDependencies } = manifest;
  return Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })
    .filter(([, version]) => !exactVersion.test(version))
    .map(
      ([name, version]) =>
        `package.json asks for ${name} ${version}, which is no single version. Write the one that is in package-lock.json.`,
    );
}

function packageProblems(path: string, entry: LockedPackage): string[] {
  // The hash of the package it came with covers it, and npm runs no script of it.
  if (entry.inBundle) return [];
  const name = packageName(path);
  const { resolved = registry, integrity = '' } = entry;
  return [
    ...(entry.link || !resolved.startsWith(registry)
      ? [`${path} is not from the registry. Depend on a version that is published there.`]
      : []),
    ...(integrity.startsWith('sha512-')
      ? []
      : [
          `${path} has no SHA-512 in package-lock.json. Remove its entry there and run npm install --package-lock-only.`,
        ]),
    ...(entry.hasInstallScript && !workWithoutScript.includes(name)
      ? [
          `${path} has an install script, and none is run. Make sure that it works without, then name it in setup/packages/lock-problems.ts.`,
        ]
      : []),
  ];
}
