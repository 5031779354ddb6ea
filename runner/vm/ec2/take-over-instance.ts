import { setTimeout as delay } from 'node:timers/promises';
import { VmError } from '../driver.ts';
import type { VmHandle } from '../vm-handle.ts';
import type { Ec2Context } from './ec2-context.ts';
import { Ec2Error } from './ec2-error.ts';
import { type Instance, tagNames } from './instance.ts';
import { instanceOf } from './launch-instance.ts';
import { patient } from './patient.ts';

// Builds wait for it: at their checkout, and before they go on. An adopter must be done before a reaper takes its VM for
// given up, and before the VM does.
const patienceMs = 20_000;

type SharedVm = Pick<VmHandle, 'id' | 'host' | 'port'>;

/**
 * Marks an instance: from now on another runner may adopt its VM, and reapers leave it for a while. May be repeated.
 * Throws VmError.
 */
export async function shareInstance(context: Ec2Context, vm: string, id: string): Promise<void> {
  const shared = { [tagNames.shared]: 'yes' };
  await bounded(vm, (signal) => patient(context, () => context.api.tag(id, shared, signal), signal));
}

/**
 * Makes this runner the owner of the instance of a VM that was shared, by its tag, by which reapers go; gives the
 * instance. May be repeated. Throws VmError, `gone` when it does not run any more or is not where it was; the reason of
 * `closing` when that aborts.
 */
export async function adoptInstance(
  context: Ec2Context,
  handle: SharedVm,
  closing: AbortSignal,
): Promise<Instance> {
  return await bounded(handle.id, async (late) => {
    const signal = AbortSignal.any([closing, late]);
    const found = await patient(context, () => instanceOf(context, handle.id, signal), signal);
    const { id } = asItWasShared(context, handle, found);
    const mine = { [tagNames.runner]: context.runner };
    await patient(context, () => context.api.tag(id, mine, signal), signal);
    for (;;) {
      const now = await patient(context, () => context.api.describe(id, signal), signal);
      const instance = asItWasShared(context, handle, now);
      // EC2's answers are not of one piece: who reaps must see the new owner from here on.
      if (instance.tags[tagNames.runner] === context.runner) return instance;
      await delay(context.pollMs, undefined, { signal });
    }
  });
}

/** Throws VmError `gone` when the instance is not the running one that the handle tells of. */
function asItWasShared(
  context: Ec2Context,
  { id, host, port }: SharedVm,
  instance: Instance | undefined,
): Instance {
  if (!instance?.tags[tagNames.shared] || instance.state !== 'running') throw isGone(id);
  const address = context.reach(instance);
  if (address?.host !== host || address.port !== port)
    throw new VmError('gone', `The VM ${id} is not at the address any more where it was shared.`);
  return instance;
}

function isGone(id: string, cause?: unknown): VmError {
  return new VmError('gone', `The VM ${id} is not there any more.`, { cause });
}

/** Does something about a VM until patience ends. Throws VmError, or the reason why `work` was given up. */
async function bounded<T>(vm: string, work: (late: AbortSignal) => Promise<T>): Promise<T> {
  const late = AbortSignal.timeout(patienceMs);
  try {
    return await work(late);
  } catch (error) {
    if (error instanceof Ec2Error && error.kind === 'gone') throw isGone(vm, error);
    if (error instanceof VmError || !late.aborted) throw error;
    const message = `Amazon EC2 did not answer about ${vm} within ${patienceMs / 1000} s.`;
    throw new VmError('boot_timeout', message, { cause: error });
  }
}
