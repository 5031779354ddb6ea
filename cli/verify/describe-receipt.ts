import {
  buildPredicateType,
  connectionRevocationPredicateType,
  teamRevocationPredicateType,
} from '../../contract/receipt.ts';
import type { BuildPredicate, ReceiptStatement } from '../../contract/receipt-statement.ts';
import { describeConnection, describeProject, describeTeam } from './describe-revocation.ts';

/** What a receipt says, as lines for people. */
export function describeReceipt(statement: ReceiptStatement): string[] {
  const [subject] = statement.subject;
  const id = subject?.name ?? '';
  switch (statement.predicateType) {
    case buildPredicateType:
      return describeBuild(id, statement.predicate);
    case connectionRevocationPredicateType:
      return describeConnection(id, statement.predicate);
    case teamRevocationPredicateType:
      return describeTeam(id, statement.predicate);
    default:
      return describeProject(id, statement.predicate);
  }
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
