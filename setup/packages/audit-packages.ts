import { execFile } from 'node:child_process';

/** What the registry's advisories say; `not_checked` where it could not be asked. */
export interface AuditVerdict {
  state: 'clean' | 'found' | 'not_checked';
  /** For people, a line each. */
  lines: string[];
}

const usualTimeoutMs = 60_000;

/**
 * Asks the registry for known weaknesses, of level high or worse, of the packages that run. One try: who is offline is
 * told that nothing was checked, not kept waiting.
 *
 * @param folder has package.json and package-lock.json
 * @param options.settings of npm beside its usual ones: `--registry=…`
 */
export function auditPackages(
  folder: string,
  options: { settings?: string[]; timeoutMs?: number } = {},
): Promise<AuditVerdict> {
  const { settings = [], timeoutMs = usualTimeoutMs } = options;
  const words = ['audit', '--omit=dev', '--audit-level=high', '--json', '--fetch-retries=0', ...settings];
  return new Promise((resolve) => {
    execFile(
      'npm',
      words,
      { cwd: folder, timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 64 * 1024 * 1024 },
      (error, stdout) =>
        resolve(verdictOf(stdout, error?.killed ? `no answer in ${timeoutMs / 1000} s` : undefined)),
    );
  });
}

interface Report {
  message?: string;
  vulnerabilities?: Record<string, { name: string; severity: string; range: string }>;
}

function verdictOf(output: string, broken: string | undefined): AuditVerdict {
  const { vulnerabilities, message } = parse(output);
  if (broken || !vulnerabilities) {
    const why = broken ?? message ?? 'npm audit gave no report';
    return { state: 'not_checked', lines: [`known weaknesses of packages: ${why}`] };
  }
  const bad = Object.values(vulnerabilities).filter(({ severity }) => /^(high|critical)$/.test(severity));
  const lines = bad.map(
    ({ name, severity, range }) =>
      `${name} ${range} has a known weakness (${severity}). npm audit says more; raise it to a version without.`,
  );
  return { state: bad.length > 0 ? 'found' : 'clean', lines };
}

function parse(output: string): Report {
  try {
    return JSON.parse(output);
  } catch {
    return {};
  }
}
