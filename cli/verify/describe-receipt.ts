import { type Byproduct, provenancePredicateType } from '../../contract/provenance.ts';
import { ramdiskPredicateType } from '../../contract/ramdisk-predicate.ts';
import { connectionRevocationPredicateType, teamRevocationPredicateType } from '../../contract/receipt.ts';
import type {
  ProvenanceStatement,
  RamdiskStatement,
  ReceiptStatement,
} from '../../contract/receipt-statement.ts';
import { describeConnection, describeProject, describeTeam } from './describe-revocation.ts';

/** What a receipt says, as lines for people. */
export function describeReceipt(statement: ReceiptStatement): string[] {
  switch (statement.predicateType) {
    case provenancePredicateType:
      return describeProvenance(statement);
    case ramdiskPredicateType:
      return describeRamdisk(statement);
    case connectionRevocationPredicateType:
      return describeConnection(statement.predicate.connection.id, statement.predicate);
    case teamRevocationPredicateType:
      return describeTeam(statement.predicate.team.id, statement.predicate);
    default:
      return describeProject(statement.predicate.project.id, statement.predicate);
  }
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
    ...resolvedDependencies.slice(1).map(({ name, digest }) => `${name}: sha256 ${digest.sha256}`),
    ...byproducts.map(describeByproduct),
  ];
}

function describeByproduct({ name, digest, annotations }: Byproduct): string {
  if (digest) return `${name}: sha256 ${digest.sha256}`;
  return `${name}: not signed; its key was destroyed at ${annotations?.ebb_destroyed_at ?? 'an unknown time'}`;
}

function describeRamdisk({ predicate: { build, project, team, vm } }: RamdiskStatement): string[] {
  const head = `VM of build ${build.number} of ${team.name}/${project.name} (${build.id})`;
  if (vm === null) return [head, 'No VM was reported.'];
  const { report } = vm;
  return [
    head,
    `VM ${vm.id} on ${report?.driver ?? 'an unknown driver'}: launched ${report?.launched_at}, ready ${vm.ready_at}, gone ${vm.destroyed_at ?? 'unknown'}`,
    `runner ${report?.runner.name ?? 'unknown'} ${report?.runner.version ?? ''}`.trim(),
  ];
}
