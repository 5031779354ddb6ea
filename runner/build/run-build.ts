import { once } from 'node:events';
import type { Milestone } from '../../contract/build.ts';
import type { BuildSpecification } from '../../contract/runner.ts';
import { CustodyError, openVault, type ProjectVault } from '../custody/open.ts';
import { SshError } from '../ssh/ssh-error.ts';
import type { LiveVm } from '../vm/pool.ts';
import { announceSecrets } from './announce-secrets.ts';
import { BuildEnd, errored, lost } from './build-end.ts';
import { type BuildLog, createBuildLog } from './build-log.ts';
import { checkout } from './checkout.ts';
import type { BuildReports } from './control-plane.ts';
import { type CustodyLog, createCustodyLog } from './custody-log.ts';
import { inWords, proveMeasuredBoot } from './prove-measured-boot.ts';
import { proveRamdisk } from './prove-ramdisk.ts';
import type { RunnerContext } from './runner-context.ts';
import { endProcesses, type OpenedSecrets, openSecrets, runStep, wipeSecrets } from './steps.ts';

/** How long an API that is away is waited for at the end of a build: with the VM alive, and then without it. */
interface Patience {
  vmMs: number;
  apiMs: number;
}

/** One attempt, and all it touches. */
interface Attempt {
  context: RunnerContext;
  specification: BuildSpecification;
  reports: BuildReports;
  vault: ProjectVault;
  custody: CustodyLog;
  log: BuildLog;
  signal: AbortSignal;
}

/**
 * Builds one specification on a VM of its own: boot, proof, checkout, steps. Resolves with how it ended when the log
 * is written; the VM is gone by then. `signal` ends it early, its reason being a BuildEnd or an error.
 */
export async function runBuild(
  context: RunnerContext,
  specification: BuildSpecification,
  reports: BuildReports,
  signal: AbortSignal,
  patience: Patience = { vmMs: 10_000, apiMs: 120_000 },
): Promise<void> {
  const timeUp = AbortSignal.timeout(specification.timeout_seconds * 1000);
  const inTime = AbortSignal.any([signal, timeUp]);
  const log = createBuildLog({
    reports,
    from: specification.log_offset,
    limit: specification.log_limit,
    signal: context.signal,
  });
  const custody = createCustodyLog({
    reports,
    signal: context.signal,
    onLost: (event, error) =>
      context.log.warn({ build: specification.build_id, event, error: String(error) }, 'event not audited'),
  });
  let vm: LiveVm | undefined;
  let end: BuildEnd;
  try {
    const vault = await unwrap(context, specification, inTime);
    const attempt = { context, specification, reports, vault, custody, log, signal: inTime };
    vm = await bootVm(attempt);
    await prove(attempt, vm);
    await checkOut(attempt, vm);
    await openAndRunSteps(attempt, vm);
    end = new BuildEnd({ outcome: 'passed' });
  } catch (error) {
    end = toEnd(error, { signal, timeUp, vm, specification });
  }
  await windUp({ context, specification, reports, custody, log }, end, vm, patience);
}

/** Another runner may have the key that this one lacks: while keys are rotated, say. */
async function unwrap(
  { keyring }: RunnerContext,
  { wrapped_private_key: wrappedPrivateKey, project_id: projectId }: BuildSpecification,
  signal: AbortSignal,
): Promise<ProjectVault> {
  return await openVault({ keyring, wrappedPrivateKey, projectId, signal }).catch((error) => {
    throw error instanceof CustodyError && error.code === 'wrong_key' ? lost(error.message) : error;
  });
}

async function bootVm({ context, specification, reports, signal, log }: Attempt): Promise<LiveVm> {
  log.note(`attempt ${specification.attempt}: waiting for a fresh VM`);
  const { memory_mib: memoryMib, image: recipe } = specification;
  let told = '';
  const onWait = (reason: string) => {
    if (reason === told) return;
    told = reason;
    log.note(reason);
    // Who waits reads it in the log anyway; a build must not fail for it.
    reports.waiting(reason, signal).catch(() => undefined);
  };
  return await context.pool.take({ memoryMib, cpus: 1, recipe, signal, onWait }).catch((error: Error) => {
    if (signal.aborted) throw error;
    throw lost(`No VM could be started: ${error.message}`);
  });
}

async function prove({ context, reports, log, signal }: Attempt, vm: LiveVm): Promise<void> {
  const measuredBoot = await proveMeasuredBoot(vm, signal);
  const { proof, report } = await proveRamdisk(context, vm, signal);
  const shown = { proof: { ...proof, measured_boot: measuredBoot }, report };
  await reports.milestone({ ...at('vm_ready'), vm: vm.vm.id, ...shown }, signal);
  log.note(`VM ${vm.vm.id} is fresh and has no disk; ${inWords(measuredBoot)}`);
}

async function checkOut(attempt: Attempt, vm: LiveVm): Promise<void> {
  const { specification, reports, vault, custody, log, signal } = attempt;
  await reports.phase('checkout', signal);
  log.note(`checkout of ${specification.commit.slice(0, 12)} on ${specification.branch}`);
  await checkout({
    vm,
    specification,
    vault,
    onOutput: (chunk) => log.output(chunk),
    custody,
    signal,
  });
  await reports.milestone(at('checkout_done'), signal);
}

async function openAndRunSteps(attempt: Attempt, vm: LiveVm): Promise<void> {
  const { specification, custody, signal } = attempt;
  const announced = await announceSecrets(specification, custody, signal);
  const secrets = await openSecrets(announced, attempt.vault);
  try {
    attempt.log.mask(secrets.map(({ value }) => value.use((bytes) => bytes.toString('utf8'))));
    await runSteps(attempt, vm, secrets);
  } finally {
    wipeSecrets(secrets);
  }
}

async function runSteps(
  { specification, reports, log, signal }: Attempt,
  vm: LiveVm,
  secrets: OpenedSecrets,
): Promise<void> {
  let first = true;
  for (const { phase, commands } of specification.steps) {
    // A deployment's secrets are for the deployment alone, not for what a dependency left running before it.
    if (phase === 'deploy') {
      const ended = await endProcesses(vm.connection, signal);
      if (ended > 0) log.note(`${ended} processes of earlier commands were ended before the deployment`);
    }
    await reports.phase(phase, signal);
    for (const command of commands) {
      if (first) await reports.milestone(at('first_step'), signal);
      first = false;
      log.command(phase, command);
      const onOutput = (chunk: Buffer) => log.output(chunk);
      const onLingering = () =>
        log.note('the command has ended; what it left running goes on, and may still print here');
      await runStep(vm.connection, {
        ...{ phase, command, specification, secrets, signal },
        ...{ onOutput, onLingering },
      });
    }
  }
}

/**
 * First the log and the state that people wait for, then the VM. An API that is away must not keep a VM alive: then the
 * VM goes first, and what the API did not hear is told afterwards.
 */
async function windUp(
  {
    context,
    specification,
    reports,
    custody,
    log,
  }: Pick<Attempt, 'context' | 'specification' | 'reports' | 'custody' | 'log'>,
  end: BuildEnd,
  vm: LiveVm | undefined,
  { vmMs, apiMs }: Patience,
): Promise<void> {
  const incomplete = (error: unknown) =>
    context.log.warn({ build: specification.build_id, error: String(error) }, 'log incomplete');
  const soon = AbortSignal.any([context.signal, AbortSignal.timeout(vmMs)]);
  const shipped = Promise.all([log.end(end).catch(incomplete), custody.settled()]);
  const finish = async (signal: AbortSignal) => {
    await Promise.race([shipped, whenAborted(signal)]);
    signal.throwIfAborted();
    await reports.finish(end.outcome, signal);
  };
  const reported = await finish(soon).then(
    () => true,
    () => false,
  );
  if (vm) await vm.end();
  const patience = AbortSignal.any([context.signal, AbortSignal.timeout(apiMs)]);
  try {
    if (!reported) await finish(patience);
  } finally {
    // Also when the attempt was given up meanwhile: a revocation waits for every VM.
    if (vm) await reports.milestone({ ...at('vm_gone'), exit: await vm.vm.exited }, patience);
  }
}

async function whenAborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

function toEnd(
  error: unknown,
  about: {
    signal: AbortSignal;
    timeUp: AbortSignal;
    vm: LiveVm | undefined;
    specification: BuildSpecification;
  },
): BuildEnd {
  if (about.signal.aborted)
    return about.signal.reason instanceof BuildEnd ? about.signal.reason : lost('The runner stopped.');
  if (about.timeUp.aborted) {
    const minutes = about.specification.timeout_seconds / 60;
    return new BuildEnd({
      outcome: 'timed_out',
      reason: `The build reached its limit of ${minutes} minutes. Make it faster, or raise timeout_minutes.`,
    });
  }
  if (error instanceof BuildEnd) return error;
  if (error instanceof CustodyError && error.code === 'unavailable') return lost(error.message);
  if (error instanceof CustodyError)
    return errored(`${error.message} Was the project revoked, or the runner's key changed?`);
  if (error instanceof SshError) return lost(`The VM was lost: ${error.message}`);
  return lost(error instanceof Error ? error.message : String(error));
}

function at(milestone: Milestone) {
  return { milestone, at: new Date().toISOString() };
}
