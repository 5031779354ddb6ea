import { finalStates } from '../../contract/build.ts';
import type { MilestoneReport } from '../../contract/runner.ts';
import type { ApiContext } from '../context.ts';
import { json } from '../db/database.ts';
import { conflict, invalidField } from '../http/problem-error.ts';
import { signBuildReceipts } from '../receipts/sign-build-receipts.ts';
import { requireAttempt } from './require-attempt.ts';
import { type BuildRow, transition } from './state-machine.ts';
import { endVmUse, useVm } from './use-vm.ts';

/**
 * Records what a runner reports of an attempt; the first report of each milestone counts. Throws 409 `old_attempt` for
 * an attempt that was given up, but for the end of its VM: who waits for that waits for each. `vm_ready` needs all that a VM is judged by
 * (422), a VM that nobody had (409 `vm_used`), and one for each attempt (409 `other_vm`).
 */
export async function recordMilestone(
  context: ApiContext,
  build: BuildRow,
  report: MilestoneReport,
): Promise<void> {
  const { milestone, attempt, exit, vm_handle } = report;
  const at = new Date(report.at);
  if (milestone === 'vm_gone') {
    const hadVm = await endVmUse(context, { build: build.id, attempt, at });
    if (hadVm && build.attempt !== attempt) return;
  }
  requireAttempt(build, attempt);
  if (milestone === 'vm_ready') await begin(context, build, report);
  else if (build[`${milestone}_at`] === null) {
    await context.database
      .updateTable('build')
      .set({
        [`${milestone}_at`]: at,
        ...(exit ? { vm_exit: json(exit) } : {}),
        ...(vm_handle && milestone === 'checkout_done' ? { vm_handle } : {}),
      })
      .where('id', '=', build.id)
      .where('attempt', '=', attempt)
      .where('lease_holder', 'is not distinct from', build.lease_holder)
      .execute();
  }
  if (milestone === 'vm_gone' && finalStates.includes(build.state))
    await signBuildReceipts(context, build.id);
  await context.queue.announce(build.id).catch(() => undefined);
}

async function begin(context: ApiContext, build: BuildRow, report: MilestoneReport): Promise<void> {
  const { vm, proof, report: seen } = evidenceOf(report);
  if (build.vm !== null && build.vm !== vm)
    throw conflict(
      'other_vm',
      `The attempt has the VM ${build.vm} already; it is given no second one.`,
      'vm',
    );
  await useVm(context, { vm, build: build.id, attempt: report.attempt });
  // Why it waited is over; why it was cancelled is not.
  const reason = build.cancel_requested ? build.reason : null;
  const told = { vm, proof: json(proof), vm_report: json(seen), vm_ready_at: new Date(report.at), reason };
  await transition(context.database, build.id, 'vm_ready', 'running', told, build);
}

/** What nobody shows cannot be judged afterwards, so that a VM without it is no VM for a build. */
function evidenceOf({ vm, proof, report }: MilestoneReport) {
  const missing = (field: string, what: string) =>
    invalidField(field, `vm_ready is reported with ${field}: ${what}. Add it.`);
  if (vm === undefined) throw missing('vm', 'the id of the VM');
  if (proof === undefined || proof === null) throw missing('proof', 'what the VM showed of its disks');
  if (report === undefined) throw missing('report', 'what its runner saw of the VM');
  return { vm, proof, report };
}
