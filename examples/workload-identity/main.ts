import { App, LocalBackend, TerraformOutput, TerraformStack, TerraformVariable } from 'cdktf';
import type { Construct } from 'constructs';
import { DataEbbProject, EbbProvider, WorkloadIdentity } from '../../stacks/index.ts';

/** Lets a workflow of GitHub Actions start builds of one project, without an API key at GitHub. */
class WorkloadIdentities extends TerraformStack {
  constructor(scope: Construct, id: string) {
    super(scope, id);
    new LocalBackend(this, { path: 'terraform.tfstate' });
    // Address and key come from EBB_ENDPOINT and EBB_API_KEY.
    new EbbProvider(this, 'ebb');

    const variable = (name: string, description: string) =>
      new TerraformVariable(this, name, { description, type: 'string', nullable: false }).stringValue;
    const project = new DataEbbProject(this, 'shop', {
      naturalId: variable('project', 'The project, as team/project.'),
    });
    const repository = variable(
      'repository',
      'The repository whose workflows on main may start builds, as owner/name.',
    );
    const release = new WorkloadIdentity(this, 'release', {
      name: 'release',
      projectId: project.id,
      issuer: 'https://token.actions.githubusercontent.com',
      audience: 'ebb',
      claims: { sub: `repo:${repository}:ref:refs/heads/main` },
      scopes: ['builds:read', 'builds:write'],
    });

    // The workflow names it when it exchanges its token.
    new TerraformOutput(this, 'client_id', { value: release.id }).overrideLogicalId('client_id');
  }
}

const app = new App();
new WorkloadIdentities(app, 'workload-identity');
app.synth();
