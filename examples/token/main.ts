import { App, LocalBackend, TerraformOutput, TerraformStack } from 'cdktf';
import type { Construct } from 'constructs';
import { CiProject, Connection, EbbProvider, EphemeralToken, Secret } from '../../stacks/index.ts';

/** Hands another CI, or whatever else this program sets up, a token that starts builds of one project. */
class Token extends TerraformStack {
  constructor(scope: Construct, id: string) {
    super(scope, id);
    new LocalBackend(this, { path: 'terraform.tfstate' });
    // Address and key come from EBB_ENDPOINT and EBB_API_KEY.
    new EbbProvider(this, 'ebb');

    const connection = new Connection(this, 'local', { name: 'local', kind: 'local' });
    const { project } = new CiProject(this, 'shop', {
      ...{ connection, name: 'shop', setup: ['./setup.sh'], test: ['./total.sh build/prices.csv'] },
    });

    // Good while Terraform runs, and revoked when it ends.
    const { token } = new EphemeralToken(this, 'builds', {
      scopes: ['builds:read', 'builds:write'],
      projectId: project.id,
    });
    // Any write-only argument takes it, of any provider. It is in no plan and no state.
    new Secret(this, 'token', {
      projectId: project.id,
      name: 'BUILDS_TOKEN',
      valueWo: token,
      valueWoVersion: 1,
    });

    new TerraformOutput(this, 'project_id', { value: project.id }).overrideLogicalId('project_id');
  }
}

const app = new App();
new Token(app, 'token');
app.synth();
