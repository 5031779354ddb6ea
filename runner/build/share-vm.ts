import { CustodyError } from '../custody/open.ts';
import { type Vm, VmError } from '../vm/driver.ts';
import { adoptLiveVm, type LiveVm } from '../vm/live-vm.ts';
import { decodeVmHandle, encodeVmHandle } from '../vm/vm-handle.ts';
import { type Attempt, at } from './attempt.ts';
import { lost } from './build-end.ts';

/**
 * Says that the source is checked out and, where VMs can be taken over, leaves with the API what another runner needs for
 * that: sealed to the project, so that only runners open it. Gives the place from where the VM is reached; undefined when
 * it cannot be taken over.
 */
export async function shareVm(attempt: Attempt, { vm }: LiveVm): Promise<string | undefined> {
  const { context, reports, vault, log, signal } = attempt;
  const place = vm.share && (await context.driver.place?.());
  if (!place) {
    await reports.milestone(at('checkout_done'), signal);
    return undefined;
  }
  // Who goes on from here has the log as far as the API has it.
  const written = log.sync();
  const { image } = await vm.observe(signal);
  const bytes = encodeVmHandle(vm, image);
  const handle = await vault.seal(bytes, 'vm-handle').finally(() => bytes.fill(0));
  const shared = await share(attempt, vm);
  await written;
  const left = shared ? { vm_handle: handle } : {};
  await reports.milestone({ ...at('checkout_done'), ...left }, signal);
  return shared ? place : undefined;
}

/** A build must not fail because nobody could take it over. */
async function share({ context, specification, signal }: Attempt, vm: Vm): Promise<boolean> {
  try {
    await vm.share?.();
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof VmError)) throw error;
    const about = { build: specification.build_id, error: error.message };
    context.log.warn(about, 'no other runner can take this build over');
    return false;
  }
}

/** Takes the VM over that another runner shared. Throws BuildEnd `lost` when it cannot be reached. */
export async function takeVmOver({ context, vault, signal }: Attempt, sealedHandle: string): Promise<LiveVm> {
  try {
    const opened = await vault.open(sealedHandle, 'vm-handle');
    try {
      const live = await adoptLiveVm(context.driver, opened.use(decodeVmHandle), signal);
      return context.track?.(live) ?? live;
    } finally {
      opened.wipe();
    }
  } catch (error) {
    signal.throwIfAborted();
    const known = error instanceof VmError || error instanceof CustodyError;
    const why = known || error instanceof Error ? error.message : String(error);
    throw lost(`The runner of this build is gone, and its VM could not be taken over: ${why}`);
  }
}
