import { Construct } from 'constructs';
import { IamRole } from './aws.ts';
import { trust } from './policy.ts';
import type { PlatformSettings } from './settings.ts';

/**
 * Who acts. A task role is what the program itself may do; an execution role is what Amazon ECS does for it before it
 * starts: fetch its image and its secrets, write its log. The API's own role may have keys wrapped, and no more.
 */
export class Roles extends Construct {
  readonly apiTask: IamRole;
  readonly apiExecution: IamRole;
  readonly runnerTask: IamRole;
  readonly runnerExecution: IamRole;

  constructor(scope: Construct, id: string, settings: PlatformSettings, accountId: string) {
    super(scope, id);
    const role = (what: string, description: string) =>
      new IamRole(this, what, {
        name: `${settings.name}-${settings.region}-${what}`,
        description,
        assumeRolePolicy: trust('ecs-tasks.amazonaws.com', accountId),
      });
    this.apiTask = role('api', 'The API: wraps keys of projects, unwraps none');
    this.apiExecution = role('api-start', 'Starts the API');
    this.runnerTask = role(
      'runner',
      'Runners: launch and end build machines, wrap and unwrap keys of projects',
    );
    this.runnerExecution = role('runner-start', 'Starts runners');
  }
}
