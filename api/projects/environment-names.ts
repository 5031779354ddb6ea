import { invalidField } from '../http/problem-error.ts';

// What the shell and Ebb itself set; a project that changed them would break its own commands in odd ways.
const reserved = new Set([
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'PWD',
  'IFS',
  'CI',
  'EBB',
  'BASH_ENV',
  'ENV',
  'LD_PRELOAD',
  'LD_LIBRARY_PATH',
]);
const totalLimit = 64 * 1024;

/** Throws 422 when a name may not be used, or when all of the environment is too large. */
export function checkEnvironment(environment: Record<string, string>): void {
  for (const name of Object.keys(environment)) {
    checkEnvironmentName(name, `environment/${name}`);
  }
  if (JSON.stringify(environment).length > totalLimit) {
    throw invalidField(
      'environment',
      'environment is larger than 64 KiB in all. Put large values into the repository.',
    );
  }
}

export function checkEnvironmentName(name: string, field: string): void {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw invalidField(
      field,
      `${name} is no name of an environment variable. Use letters, digits and underscores, no digit first.`,
    );
  }
  if (reserved.has(name) || name.startsWith('EBB_')) {
    throw invalidField(field, `${name} is set by Ebb or the shell. Choose another name.`);
  }
}
