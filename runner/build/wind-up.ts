import { once } from 'node:events';
import type { LiveVm } from '../vm/live-vm.ts';
import { type Attempt, at } from './attempt.ts';
import type { BuildEnd } from './build-end.ts';
import { ControlPlaneError } from './control-plane.ts';

/** How long an API that is away is waited for at the end of a build: with the VM alive, and then without it. */
export interface Patience {
  vmMs: number;
  apiMs: number;
}

/** How it is with a build once its runner is done with it: over, to be tried again where it may be, or another runner's. */
export type BuildLeft = 'over' | 'lost' | 'left';

/**
 * First the log and the state that people wait for, then the VM. An API that is away must not keep a VM alive: then the
 * VM goes first, and what the API did not hear is told afterwards. A VM that another runner has by now is left to it.
 */
export async function windUp(
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
): Promise<BuildLeft> {
  const incomplete = (error: unknown) =>
    context.log.warn({ build: specification.build_id, error: String(error) }, 'log incomplete');
  const soon = AbortSignal.any([context.signal, AbortSignal.timeout(vmMs)]);
  const shipped = Promise.all([log.end(end).catch(incomplete), custody.settled()]);
  const finish = async (signal: AbortSignal) => {
    await Promise.race([shipped, whenAborted(signal)]);
    signal.throwIfAborted();
    await reports.finish(end.outcome, signal);
  };
  const refusal = await finish(soon).then(
    () => undefined,
    (error: unknown) => error ?? new Error('The end could not be told.'),
  );
  if (isTakenOver(refusal)) {
    await vm?.leave();
    return 'left';
  }
  if (vm) await vm.end();
  const patience = AbortSignal.any([context.signal, AbortSignal.timeout(apiMs)]);
  try {
    if (refusal) await finish(patience);
  } finally {
    // Also when the attempt was given up meanwhile: a revocation waits for every VM.
    if (vm) await reports.milestone({ ...at('vm_gone'), exit: await vm.vm.exited }, patience);
  }
  return end.outcome.outcome === 'lost' ? 'lost' : 'over';
}

function isTakenOver(error: unknown): boolean {
  return error instanceof ControlPlaneError && error.code === 'taken_over';
}

async function whenAborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}
