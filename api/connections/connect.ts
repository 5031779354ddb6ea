import type { Connection } from '../../contract/connection.ts';
import type { ApiContext } from '../context.ts';
import { invalidField, type ProblemError } from '../http/problem-error.ts';
import { sourceHostProblem } from '../source-hosts/source-host-problem.ts';
import type { HostConnection } from '../source-hosts/source-hosts.ts';

const hostTimeoutMs = 20_000;

/**
 * Asks the source host whether the credential is good, and gives the SSH host keys to pin: what is declared, else what
 * the host publishes. Throws problems: 422 with what is missing, 503 when the host does not answer.
 */
export async function pinHostKeys(
  context: ApiContext,
  connection: HostConnection,
  declared: string[] | undefined,
): Promise<string[]> {
  const host = context.sourceHosts.of(connection);
  if (!host) throw notServed(context, connection.kind);
  const { hostKeys } = await host.connect(AbortSignal.timeout(hostTimeoutMs)).catch((error) => {
    throw sourceHostProblem(error);
  });
  const pinned = declared ?? hostKeys;
  if (pinned.length > 0) return pinned.map((line) => line.split(' ').slice(0, 2).join(' '));
  throw invalidField(
    'ssh_host_keys',
    'This host does not publish its SSH host keys, and Ebb trusts none that it merely sees. Declare ssh_host_keys.',
  );
}

function notServed({ sourceHosts }: ApiContext, kind: Connection['kind']): ProblemError {
  return invalidField(
    'kind',
    `kind ${kind} is not served by this installation of Ebb. It serves: ${sourceHosts.kinds.join(', ')}.`,
  );
}
