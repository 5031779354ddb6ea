import type { BuildSpecification } from '../../contract/runner.ts';
import { CustodyError, openVault, type ProjectVault } from '../custody/open.ts';
import { SshError } from '../ssh/ssh-error.ts';
import type { LiveVm } from '../vm/pool.ts';
import { announceSecrets } from './announce-secrets.ts';
import { type Attempt, at } from './attempt.ts';
import { BuildEnd, errored, LetGo, lost } from './build-end.ts';
import { createBuildLog } from './build-log.ts';
import { checkout } from './checkout.ts';
import type { BuildReports } from './control-plane.ts';
import { createCustodyLog } from './custody-log.ts';
import { type LogCursor, parseLogCursor } from './log-cursor.ts';
import { inWords, proveMeasuredBoot } from './prove-measured-boot.ts';
import { proveRamdisk } from './prove-ramdisk.ts';
import { runCommands } from './run-commands.ts';
import type { RunnerContext } from './runner-context.ts';
import { shareVm, takeVmOver } from './share-vm.ts';
import { openSecrets, wipeSecrets } from './steps.ts';
import { type BuildLeft, type Patience, windUp } from './wind-up.ts';

interface RunBuildOptions extends Partial<Patience> {
  onShared?: (place: string) => Promise<void>;
  /** See `CheckoutOptions`. */
  pausesMs?: readonly number[];
}

/**
 * Builds one specification on a VM of its own: boot, proof, checkout, steps; or goes on with one on the VM that another
 * runner had. Resolves `over`, or `lost`, when how it ended is told and the log is written; the VM is gone by then. `signal` ends it
 * early, its reason being a BuildEnd or an error; with LetGo the build is left to another runner where it can be: then
 * this resolves `left`, and VM and build go on. `onShared` is told once that is so, with the place of the VM.
 */
export async function runBuild(
  context: RunnerContext,
  specification: BuildSpecification,
  reports: BuildReports,
  signal: AbortSignal,
  options: RunBuildOptions = {},
): Promise<BuildLeft> {
  const timeUp = new AbortController();
  const seconds = specification.resume?.seconds_left ?? specification.timeout_seconds;
  const timer = setTimeout(() => timeUp.abort(), seconds * 1000);
  // A signal that has listeners lives as long as what it follows, and the runner's own goes on.
  const over = new AbortController();
  try {
    const signals = { signal, timeUp: timeUp.signal, over: over.signal };
    return await attemptBuild(context, specification, reports, signals, options);
  } finally {
    clearTimeout(timer);
    over.abort();
  }
}

async function attemptBuild(
  context: RunnerContext,
  specification: BuildSpecification,
  reports: BuildReports,
  { signal, timeUp, over }: { signal: AbortSignal; timeUp: AbortSignal; over: AbortSignal },
  { onShared = async () => {}, pausesMs, ...patience }: RunBuildOptions,
): Promise<BuildLeft> {
  const { resume } = specification;
  const inTime = AbortSignal.any([signal, timeUp, over]);
  const left = new AbortController();
  const goesOn = AbortSignal.any([context.signal, left.signal, over]);
  const cursor = resume?.log_cursor === undefined ? undefined : parseLogCursor(resume.log_cursor);
  const log = createBuildLog({
    ...{ reports, cursor, from: specification.log_offset, limit: specification.log_limit, signal: goesOn },
  });
  const custody = createCustodyLog({
    reports,
    from: resume?.custody_events ?? 0,
    signal: goesOn,
    onLost: (event, error) =>
      context.log.warn({ build: specification.build_id, event, error: String(error) }, 'event not audited'),
  });
  let vm: LiveVm | undefined;
  let shared = resume !== undefined;
  let end: BuildEnd;
  try {
    const vault = await unwrap(context, specification, inTime);
    const attempt = { context, specification, reports, vault, custody, log, signal: inTime };
    if (resume) vm = await takeVmOver(attempt, resume.vm_handle);
    else {
      vm = await bootVm(attempt);
      await prove(attempt, vm);
      await checkOut(attempt, vm, pausesMs);
      const place = await shareVm(attempt, vm);
      shared = place !== undefined;
      if (place) await onShared(place);
    }
    await openAndRunCommands(attempt, vm, cursor);
    end = new BuildEnd({ outcome: 'passed' });
  } catch (error) {
    if (shared && signal.reason instanceof LetGo) {
      left.abort(signal.reason);
      await vm?.leave();
      return 'left';
    }
    end = toEnd(error, { signal, timeUp, vm, specification });
  }
  const about = { context, specification, reports, custody, log };
  return await windUp(about, end, vm, { vmMs: 10_000, apiMs: 120_000, ...patience });
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

async function checkOut(
  attempt: Attempt,
  vm: LiveVm,
  pausesMs: readonly number[] | undefined,
): Promise<void> {
  const { specification, reports, vault, custody, log, signal } = attempt;
  await reports.phase('checkout', signal);
  log.note(`checkout of ${specification.commit.slice(0, 12)} on ${specification.branch}`);
  await checkout({
    vm,
    specification,
    vault,
    onOutput: (chunk) => log.output(chunk),
    onWait: log.note,
    pausesMs,
    custody,
    signal,
  });
}

async function openAndRunCommands(
  attempt: Attempt,
  vm: LiveVm,
  cursor: LogCursor | undefined,
): Promise<void> {
  const { specification, custody, signal } = attempt;
  const announced = await announceSecrets(specification, custody, signal);
  const secrets = await openSecrets(announced, attempt.vault);
  try {
    attempt.log.mask(secrets.map(({ value }) => value.use((bytes) => bytes.toString('utf8'))));
    await runCommands(attempt, vm, secrets, cursor);
  } finally {
    wipeSecrets(secrets);
  }
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
    return about.signal.reason instanceof BuildEnd ? about.signal.reason : lost(stopped(about.signal.reason));
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

function stopped(reason: unknown): string {
  return reason instanceof LetGo ? reason.message : 'The runner stopped.';
}
