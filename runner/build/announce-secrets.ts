import type { BuildSpecification } from '../../contract/runner.ts';
import type { CustodyLog } from './custody-log.ts';

// The team's audit names that many of a phase and counts all.
const maxNames = 100;

/**
 * Tells the team's audit, phase by phase, which secrets are to be opened. Resolves to the specification with those alone
 * that a phase of this very build is for: a build that does not deploy opens nothing of the deployment.
 */
export async function announceSecrets(
  specification: BuildSpecification,
  custody: CustodyLog,
  signal: AbortSignal,
): Promise<BuildSpecification> {
  const ran = specification.steps.map(({ phase }) => phase);
  for (const phase of ran) {
    const names = specification.secrets
      .filter(({ phases }) => phases.includes(phase))
      .map(({ name }) => name);
    if (names.length === 0) continue;
    const event = {
      action: 'secrets.opened',
      phase,
      count: names.length,
      names: names.slice(0, maxNames),
    } as const;
    await custody.report(event, signal);
  }
  const secrets = specification.secrets.filter(({ phases }) => phases.some((phase) => ran.includes(phase)));
  return { ...specification, secrets };
}
