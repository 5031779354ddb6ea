import type { RamdiskPredicate } from '../../contract/ramdisk-predicate.ts';
import { judgeOutside } from '../../runner/vm/outside.ts';
import { judgeRamdiskProof, type RamdiskProof } from '../../runner/vm/ramdisk-proof.ts';
import { ascends, decide, FailedCheck, type Note } from './check.ts';
import { checkMeasuredBoot } from './check-measured-boot.ts';
import { checkTemplate } from './check-template.ts';

type Vm = NonNullable<RamdiskPredicate['vm']>;

/** Judges again what was seen of a build's VM, by the rules that the runner judged by. Throws FailedCheck. */
export function checkRamdisk({ build, vm }: RamdiskPredicate, note: Note): void {
  if (vm === null) {
    note('vm', 'none was reported, so that this statement proves nothing of where the build ran');
    return;
  }
  decide(
    note,
    'used-once',
    vm.used_for.length === 1 && vm.used_for[0]?.build === build.id && vm.used_for[0].attempt === build.attempt
      ? undefined
      : `The VM ${vm.id} was not used for this build and attempt alone.`,
    `${vm.id} was used for ${build.id}, attempt ${build.attempt}, and for nothing else`,
  );
  const { memory_kib } = checkInside(vm, note);
  checkMeasuredBoot(vm, note);
  checkOutside(vm, memory_kib, note);
  checkTemplate(vm, note);
  const launched = vm.report?.launched_at ?? null;
  decide(
    note,
    'life',
    ascends([launched, vm.ready_at, vm.destroyed_at]) ? undefined : 'The times of the VM are not in order.',
    `launched ${launched}, ready ${vm.ready_at}`,
  );
  decide(
    note,
    'gone',
    vm.destroyed_at === null || vm.exit === null ? `The VM ${vm.id} is not known to be gone.` : undefined,
    `destroyed ${vm.destroyed_at}, ended by ${vm.exit?.signal ?? `exit ${vm.exit?.code}`}`,
  );
}

function checkInside({ inside }: Vm, note: Note): RamdiskProof {
  const verdict = judgeRamdiskProof(inside);
  if (!verdict.ok)
    throw new FailedCheck(
      'inside',
      `The VM did not show that it has no disk: ${verdict.violations.join('; ')}.`,
    );
  const { mounts, boot_id } = verdict.proof;
  note(
    'inside',
    `the VM (boot ${boot_id}) showed ${mounts.length} mounts, all in memory; no partition, swap, block device or driver for one`,
  );
  return verdict.proof;
}

function checkOutside({ report }: Vm, memoryKib: number, note: Note): void {
  const verdict = judgeOutside(report?.outside, { memoryKib });
  if (!verdict.ok) throw new FailedCheck('outside', `Seen from outside: ${verdict.violations.join('; ')}.`);
  note(
    'outside',
    verdict.seen.kind === 'qemu'
      ? 'its process had no disk or folder to give, its memory was anonymous, in no swap and in no core dump'
      : `EC2 said of ${verdict.seen.instance}: no block device but the root device, no metadata service, no profile`,
  );
}
