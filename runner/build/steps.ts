import type { Phase } from '../../contract/build.ts';
import type { BuildSpecification } from '../../contract/runner.ts';
import type { ProjectVault } from '../custody/open.ts';
import type { OpenedSecret } from '../custody/opened-secret.ts';
import type { SshSession } from '../ssh/connection.ts';
import { failed, lost } from './build-end.ts';

// A command's last output comes with its end; what comes later is of something in the background.
const lingerMs = 1_000;

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

export interface StepOptions {
  phase: Phase;
  command: string;
  specification: BuildSpecification;
  secrets: OpenedSecrets;
  onOutput(chunk: Buffer): Promise<void>;
  /** Called when the command has ended and something that it left running still has its output. */
  onLingering(): void;
  signal: AbortSignal;
}

/**
 * Ends every process of the VM's build user; gives how many there were. Nothing that an earlier command left running may
 * look into what comes next.
 */
export async function endProcesses(session: SshSession, signal: AbortSignal): Promise<number> {
  const said: Buffer[] = [];
  const { code } = await session.exec('/usr/lib/ebb/end-processes', {
    onStdout: (chunk) => void said.push(chunk),
    signal,
  });
  if (code !== 0) throw lost('The processes of earlier commands could not be ended.');
  return Number(Buffer.concat(said).toString());
}

/**
 * Runs one command as the VM's build user. Its environment goes in over stdin, so that it stands in no argv.
 * Throws BuildEnd `failed` when the command does not end with 0.
 */
export async function runStep(session: SshSession, options: StepOptions): Promise<void> {
  const stdin = stepInput(options);
  try {
    const { code, signal, lingers } = await session.exec('/usr/lib/ebb/step', {
      stdin,
      lingerMs,
      onStdout: options.onOutput,
      onStderr: options.onOutput,
      signal: options.signal,
    });
    if (lingers) options.onLingering();
    if (code === null) throw lost(`The command was ended by signal ${signal}.`);
    if (code !== 0) throw failed(options.command, code);
  } finally {
    stdin.fill(0);
  }
}

/** What `step` in the image reads: NAME=VALUE entries, an empty one, the command; each ends with NUL. */
function stepInput({ phase, command, specification, secrets }: StepOptions): Buffer {
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
