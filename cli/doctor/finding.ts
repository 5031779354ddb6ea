/** The worst first. `high` makes `ebb doctor` fail; `info` is a choice that may well be meant. */
export const severities = ['high', 'medium', 'low', 'info'] as const;

/** Something that an operator left open. */
export interface Finding {
  /** The same for the same thing in every release. */
  code: string;
  severity: (typeof severities)[number];
  what: string;
  /** What can come of it. */
  why: string;
  fix: string;
}

/** The worst first, else in the order in which they were found. */
export function bySeverity(findings: readonly Finding[]): Finding[] {
  return severities.flatMap((severity) => findings.filter((finding) => finding.severity === severity));
}
