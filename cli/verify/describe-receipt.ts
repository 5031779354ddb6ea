import { provenancePredicateType } from '../../contract/provenance.ts';
import { ramdiskPredicateType } from '../../contract/ramdisk-predicate.ts';
import type {
  ProvenanceStatement,
  RamdiskStatement,
  ReceiptStatement,
  RevocationPredicate,
} from '../../contract/receipt-statement.ts';

/** What a receipt says, as lines for people. */
export function describeReceipt(statement: ReceiptStatement): string[] {
  if (statement.predicateType === provenancePredicateType) return describeProvenance(statement);
  if (statement.predicateType === ramdiskPredicateType) return describeRamdisk(statement);
  return describeRevocation(statement.predicate.project.id, statement.predicate);
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

function describeProvenance({ predicate }: ProvenanceStatement): string[] {
  const { externalParameters: given, internalParameters, resolvedDependencies } = predicate.buildDefinition;
  const { builder, byproducts } = predicate.runDetails;
  const { ebb_build: build } = predicate.runDetails.metadata;
  const end = build.failedCommand === null ? '' : `: ${build.failedCommand} exited with ${build.exitCode}`;
  return [
    `Build ${build.number} of ${build.team.name}/${build.project.name} (${build.id}): ${build.state.replace('_', ' ')}${end}`,
    `commit ${given.commit} of ${given.ref}, attempt ${internalParameters.attempt}, started by ${internalParameters.trigger}`,
    ...Object.entries(given.commands).flatMap(([phase, commands]) =>
      commands.map((command) => `${phase}: ${command}`),
    ),
    `secrets given: ${given.secrets.map(({ name }) => name).join(', ') || 'none'}`,
    `built by ${builder.id} (${Object.entries(builder.version)
      .map(([part, version]) => `${part} ${version}`)
      .join(', ')})`,
    ...[...resolvedDependencies.slice(1), ...byproducts].map(
      ({ name, digest }) => `${name}: sha256 ${digest.sha256}`,
    ),
  ];
}

function describeRamdisk({ predicate: { build, project, team, vm } }: RamdiskStatement): string[] {
  const head = `VM of build ${build.number} of ${team.name}/${project.name} (${build.id})`;
  if (vm === null) return [head, 'It was given no VM.'];
  const { report } = vm;
  return [
    head,
    `VM ${vm.id} on ${report?.driver ?? 'an unknown driver'}: launched ${report?.launched_at}, ready ${vm.ready_at}, gone ${vm.destroyed_at ?? 'unknown'}`,
    `runner ${report?.runner.name ?? 'unknown'} ${report?.runner.version ?? ''}`.trim(),
  ];
}

function describeVm({ vm, vm_gone_at }: { vm: string | null; vm_gone_at: string | null }): string {
  if (vm === null) return ', no VM';
  return vm_gone_at ? `, VM ${vm} gone ${vm_gone_at}` : `, VM ${vm} left to end itself, not seen to end`;
}
