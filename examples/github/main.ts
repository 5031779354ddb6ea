import { App, LocalBackend, TerraformOutput, TerraformStack, TerraformVariable } from 'cdktf';
import type { Construct } from 'constructs';
import { CiProject, Connection, EbbProvider, EphemeralVariable } from '../../stacks/index.ts';

/** One repository at GitHub: pushes, tags and pull requests become builds, whose state GitHub shows. */
class Github extends TerraformStack {
  constructor(scope: Construct, id: string) {
    super(scope, id);
    new LocalBackend(this, { path: 'terraform.tfstate' });
    // Address and key come from EBB_ENDPOINT and EBB_API_KEY.
    new EbbProvider(this, 'ebb');

    const { GITHUB_URL: url, GITHUB_SSH_ADDRESS: sshAddress } = process.env;
    const text = (name: string, description: string) =>
      new TerraformVariable(this, name, { description, type: 'string', nullable: false }).stringValue;
    const token = new EphemeralVariable(this, 'github_token', {
      description: 'Fine-grained token for the repository. It is in no plan and no state.',
    });
    const connection = new Connection(this, 'connection', {
      name: 'github',
      kind: 'github',
      // A GitHub Enterprise, and where it serves SSH when that is not its port 22.
      ...(url && { url }),
      ...(sshAddress && { sshAddress }),
      tokenWo: token.stringValue,
      tokenWoVersion: 1,
    });
    const project = new CiProject(this, 'project', {
      connection,
      name: text('name', 'Name of the project at Ebb.'),
      repository: text('repository', 'Repository at GitHub, such as acme/shop.'),
      test: ['./test.sh'],
      deploy: { main: ['./deploy.sh'] },
      branches: ['main', 'release/**'],
      tags: ['v*'],
    });

    new TerraformOutput(this, 'project_id', { value: project.projectId }).overrideLogicalId('project_id');
    new TerraformOutput(this, 'public_key', { value: project.publicKey }).overrideLogicalId('public_key');
  }
}

const app = new App();
new Github(app, 'github');
app.synth();
