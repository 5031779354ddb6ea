import { ConfigurationError } from '../../contract/environment.ts';
import type { Finding } from './finding.ts';

/** Reads a process's configuration as the process does. What it refuses to start with is a finding each. */
export function readForFindings<T>(
  read: () => T,
  command: string,
): { configuration?: T; findings: Finding[] } {
  try {
    return { configuration: read(), findings: [] };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    const findings = error.problems.map((problem) => ({
      ...{ code: 'configuration_invalid', severity: 'high' as const, what: problem },
      why: `${command} does not start with it, and what depends on it was not looked at.`,
      fix: 'Do what the line says, then ask again.',
    }));
    return { findings };
  }
}
