import { buildPredicateType } from '../../contract/receipt.ts';
import type {
  BuildPredicate,
  ReceiptStatement,
  RevocationPredicate,
} from '../../contract/receipt-statement.ts';

/** What a receipt says, as lines for people. */
export function describeReceipt(statement: ReceiptStatement): string[] {
  const [subject] = statement.subject;
  const id = subject?.name ?? '';
  return statement.predicateType === buildPredicateType
    ? describeBuild(id, statement.predicate)
    : describeRevocation(id, statement.predicate);
}

function describeRevocation(id: string, revocation: RevocationPredicate): string[] {
  const { project, team, steps, builds_ended } = revocation;
  return [
    `Revocation of the project ${team.name}/${project.name} (${id})`,
    `asked for at ${revocation.requested_at}, finished at ${revocation.finished_at}`,
    ...steps.map(({ step, at, detail }) => `${at}  ${step.replaceAll('_', ' ')}: ${detail}`),
    `deploy key: ${revocation.deploy_key_fingerprint ?? 'none was left'}`,
    `hook: ${revocation.hook_id ?? 'none was left'}`,
    ...builds_ended.map((build) => `build ${build.id}: ${build.state}${describeVm(build)}`),
  ];
}

function describeBuild(id: string, build: BuildPredicate): string[] {
  const { project, team } = build;
  return [
    `Build ${build.build.number} of ${team.name}/${project.name} (${id}): ${build.state.replace('_', ' ')}`,
    `commit ${build.build.commit} of ${build.build.branch}, attempt ${build.attempt}`,
    `accepted ${build.queued_at}, over ${build.finished_at}`,
    build.vm === null
      ? 'It was given no VM.'
      : `VM ${build.vm}: ready ${build.vm_ready_at ?? 'never'}, gone ${build.vm_gone_at ?? 'unknown'}`,
    build.ramdisk_proof ? 'The VM showed that it has no disk.' : 'No VM came so far as to show its disks.',
  ];
}

function describeVm({ vm, vm_gone_at }: { vm: string | null; vm_gone_at: string | null }): string {
  if (vm === null) return ', no VM';
  return vm_gone_at ? `, VM ${vm} gone ${vm_gone_at}` : `, VM ${vm} left to end itself, not seen to end`;
}
