import type { BuildParameters } from '../../contract/provenance.ts';
import type { BuildSpecification } from '../../contract/runner.ts';

/** What the provenance of a build tells of its specification: of secrets and environment the names alone. Pure. */
export function parametersOf(specification: BuildSpecification): BuildParameters {
  const { clone, steps, environment, secrets, image } = specification;
  const commandsOf = (wanted: string) => steps.find(({ phase }) => phase === wanted)?.commands ?? [];
  return {
    repository: `ssh://${clone.user}@${clone.host}${clone.port === 22 ? '' : `:${clone.port}`}${clone.path}`,
    commands: { setup: commandsOf('setup'), test: commandsOf('test'), deploy: commandsOf('deploy') },
    image,
    environment: Object.keys(environment).sort(),
    secrets: secrets.map(({ name, phases }) => ({ name, phases })),
    memoryMib: specification.memory_mib,
    timeoutSeconds: specification.timeout_seconds,
  };
}
