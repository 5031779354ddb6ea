import { absenceUnseen, type RevocationStep } from '../../contract/receipt.ts';
import type {
  ConnectionRevocationPredicate,
  RevocationPredicate,
  TeamRevocationPredicate,
} from '../../contract/receipt-statement.ts';

/** What the receipt of a project's revocation says, as lines for people. */
export function describeProject(id: string, revocation: RevocationPredicate): string[] {
  const { project, team, builds_ended } = revocation;
  return [
    `Revocation of the project ${team.name}/${project.name} (${id})`,
    ...describeSteps(revocation),
    `deploy key: ${revocation.deploy_key_fingerprint ?? 'none was left'}`,
    `hook: ${revocation.hook_id ?? 'none was left'}`,
    ...builds_ended.map((build) => {
      const earlier = (build.earlier_vms ?? []).map(describeVm);
      return `build ${build.id}: ${build.state}${earlier.join('')}${describeVm(build)}`;
    }),
  ];
}

export function describeConnection(id: string, revocation: ConnectionRevocationPredicate): string[] {
  const { connection, team, projects } = revocation;
  return [
    `Revocation of the connection ${team.name}/${connection.name} (${id}), ${connection.kind}`,
    ...describeSteps(revocation),
    ...projects.map((project) => `project ${project.name} (${project.id}): receipt ${project.receipt_id}`),
  ];
}

export function describeTeam(id: string, revocation: TeamRevocationPredicate): string[] {
  const { team, connections, receipts_readable_until: until } = revocation;
  return [
    `Revocation of the team ${team.name} (${id})`,
    ...describeSteps(revocation),
    ...connections.map(
      ({ name, id: connection, receipt_id }) => `connection ${name} (${connection}): receipt ${receipt_id}`,
    ),
    `API keys ended: ${revocation.api_keys_ended}${until ? `; one of them reads receipts until ${until}` : ''}`,
  ];
}

function describeSteps({
  requested_at,
  finished_at,
  steps,
}: Pick<RevocationPredicate, 'requested_at' | 'finished_at' | 'steps'>): string[] {
  return [`asked for at ${requested_at}, finished at ${finished_at}`, ...steps.map(describeStep)];
}

function describeStep({ step, at, detail, took_ms, measured_by }: RevocationStep): string {
  const by = measured_by === 'recorded_times' ? ' by the recorded times' : '';
  const took = took_ms === undefined ? '' : ` (${took_ms} ms${by})`;
  const unseen = absenceUnseen.some((other) => other === step) ? 'NOT CONFIRMED BY EBB, ' : '';
  return `${at}  ${unseen}${step.replaceAll('_', ' ')}: ${detail}${took}`;
}

function describeVm({ vm, vm_gone_at }: { vm: string | null; vm_gone_at: string | null }): string {
  if (vm === null) return ', no VM';
  return vm_gone_at ? `, VM ${vm} gone ${vm_gone_at}` : `, VM ${vm} left to end itself, not seen to end`;
}
