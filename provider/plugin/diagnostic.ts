/** Names and indexes from the resource's block down to a value: `['deploy', 0, 'branch']`. */
export type ValuePath = readonly (string | number)[];

/** What Terraform shows to its user. */
export interface Diagnostic {
  severity: 'error' | 'warning';
  /** One line without full stop: what is wrong. */
  summary: string;
  /** Sentences: where, why, and how to mend it. */
  detail: string;
  /** The attribute it is about; the whole block when absent. */
  path?: ValuePath;
}

/** Ends an operation with diagnostics for the user. Everything else that is thrown counts as a bug. */
export class DiagnosticError extends Error {
  readonly code = 'diagnostics';
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map(({ summary, detail }) => `${summary}: ${detail}`).join('\n'));
    this.name = 'DiagnosticError';
    this.diagnostics = diagnostics;
  }
}

/** A `DiagnosticError` with one error. */
export function failure(summary: string, detail: string, path?: ValuePath): DiagnosticError {
  return new DiagnosticError([{ severity: 'error', summary, detail, ...(path && { path }) }]);
}
