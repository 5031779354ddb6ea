import { App, Fn, LocalBackend, TerraformOutput, TerraformStack, TerraformVariable } from 'cdktf';
import type { Construct } from 'constructs';
import { AccessGrant, DataEbbProject, EbbProvider } from '../../stacks/index.ts';

/** Lets the core crew of whoever operates Ebb look at the logs of one project, until a moment that you name. */
class SupportAccess extends TerraformStack {
  constructor(scope: Construct, id: string) {
    super(scope, id);
    new LocalBackend(this, { path: 'terraform.tfstate' });
    // Address and key come from EBB_ENDPOINT and EBB_API_KEY.
    new EbbProvider(this, 'ebb');

    const variable = (name: string, description: string, type = 'string') =>
      new TerraformVariable(this, name, { description, type, nullable: false });
    const project = new DataEbbProject(this, 'shop', {
      naturalId: variable('project', 'The project, as team/project.').stringValue,
    });
    const grant = new AccessGrant(this, 'support', {
      projectId: project.id,
      reason: 'The tests fail since Monday; see the support case.',
      scope: ['logs', 'environment'],
      endsAt: variable('until', 'When the access ends: RFC 3339 in UTC, at most seven days from now.')
        .stringValue,
      notify: Fn.tolist(variable('notify', 'Who is told of each use.', 'list(string)').listValue),
    });

    // The support case needs it: without it nobody can use the grant.
    new TerraformOutput(this, 'access_grant_id', { value: grant.id }).overrideLogicalId('access_grant_id');
  }
}

const app = new App();
new SupportAccess(app, 'support-access');
app.synth();
