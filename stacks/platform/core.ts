import { Construct } from 'constructs';
import { DataAwsCallerIdentity } from './aws.ts';
import { Keys } from './keys.ts';
import { Logs } from './logs.ts';
import { Machines } from './machines.ts';
import { Network } from './network.ts';
import { Permissions } from './permissions.ts';
import { Roles } from './roles.ts';
import { Secrets } from './secrets.ts';
import { SecurityGroups } from './security-groups.ts';
import type { PlatformSettings } from './settings.ts';

/** Network, keys, roles and the template of build machines: what the rest stands on. */
export class Core extends Construct {
  readonly network: Network;
  readonly groups: SecurityGroups;
  readonly machines: Machines;
  readonly roles: Roles;
  readonly keys: Keys;
  readonly logs: Logs;
  readonly secrets: Secrets;
  readonly permissions: Permissions;

  constructor(scope: Construct, id: string, settings: PlatformSettings) {
    super(scope, id);
    const { accountId } = new DataAwsCallerIdentity(this, 'account');
    this.network = new Network(this, 'network', settings);
    this.groups = new SecurityGroups(this, 'groups', settings, this.network);
    this.machines = new Machines(this, 'machines', settings, this.groups);
    this.roles = new Roles(this, 'roles', settings, accountId);
    this.keys = new Keys(this, 'keys', settings, { roles: this.roles, accountId });
    this.logs = new Logs(this, 'logs', settings, this.keys);
    this.secrets = new Secrets(this, 'secrets', settings, this.keys);
    this.permissions = new Permissions(this, 'permissions', settings, { ...this, accountId });
  }
}
