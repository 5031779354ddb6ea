import { accessGrant } from './access-grant.ts';
import { connection } from './connection.ts';
import { deployKey } from './deploy-key.ts';
import { hookBinding } from './hook-binding.ts';
import { project } from './project.ts';
import type { Resource } from './resource.ts';
import { secret } from './secret.ts';
import { team } from './team.ts';
import { teamMember } from './team-member.ts';
import { workloadIdentity } from './workload-identity.ts';

/** Everything a team can declare, in the order in which one depends on the other. */
export const declarableResources: readonly Resource[] = [
  connection,
  project,
  deployKey,
  hookBinding,
  secret,
  accessGrant,
  workloadIdentity,
  team,
  teamMember,
];
