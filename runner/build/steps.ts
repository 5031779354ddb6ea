import type { Phase } from '../../contract/build.ts';
import type { BuildSpecification } from '../../contract/runner.ts';
import type { ProjectVault } from '../custody/open.ts';
import type { OpenedSecret } from '../custody/opened-secret.ts';
import type { SshSession } from '../ssh/connection.ts';
import { lost } from './build-end.ts';

/** Secrets of a build in the clear: in the runner's memory only, from the first step to the last. */
export type OpenedSecrets = { name: string; phases: Phase[]; value: OpenedSecret }[];

/** Opens all secrets of a build, or none; the caller wipes them. */
export async function openSecrets(
  specification: BuildSpecification,
  vault: ProjectVault,
): Promise<OpenedSecrets> {
  const opened: OpenedSecrets = [];
  try {
    for (const { name, phases, value } of specification.secrets)
      opened.push({ name, phases, value: await vault.open(value, `secret:${name}`) });
    return opened;
  } catch (error) {
    wipeSecrets(opened);
    throw error;
  }
}

export function wipeSecrets(secrets: OpenedSecrets): void {
  for (const { value } of secrets) value.wipe();
}

/**
 * Ends every process of the VM's build user before command `number`; gives how many there were. Nothing that an earlier
 * command left running may look into what comes next. Once that command was started it ends none.
 */
export async function endProcesses(
  session: SshSession,
  number: number,
  signal: AbortSignal,
): Promise<number> {
  const said: Buffer[] = [];
  const { code } = await session.exec(`/usr/lib/ebb/end-processes ${number}`, {
    onStdout: (chunk) => void said.push(chunk),
    signal,
  });
  if (code !== 0) throw lost('The processes of earlier commands could not be ended.');
  return Number(Buffer.concat(said).toString());
}

/**
 * What `run-step` in the image reads: NAME=VALUE entries, an empty one, the command; each ends with NUL. The command's
 * environment goes in so, and stands in no argv. The caller wipes it.
 */
export function stepInput(
  { phase, command }: { phase: Phase; command: string },
  specification: BuildSpecification,
  secrets: OpenedSecrets,
): Buffer {
  const given = secrets.filter((secret) => secret.phases.includes(phase));
  const environment = {
    ...specification.environment,
    EBB_BUILD_ID: specification.build_id,
    EBB_BRANCH: specification.branch,
    EBB_REF: specification.ref,
    EBB_COMMIT: specification.commit,
    EBB_PHASE: phase,
  };
  const plain = Object.entries(environment)
    .filter(([name]) => !given.some((secret) => secret.name === name))
    .map(([name, value]) => Buffer.from(`${name}=${value}\0`));
  const secret = given.map(({ name, value }) =>
    value.use((bytes) => Buffer.concat([Buffer.from(`${name}=`), bytes, Buffer.of(0)])),
  );
  const input = Buffer.concat([...plain, ...secret, Buffer.from(`\0${command}\0`)]);
  for (const entry of secret) entry.fill(0);
  return input;
}
