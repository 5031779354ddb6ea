import { App, LocalBackend, TerraformOutput, TerraformStack } from 'cdktf';
import type { Construct } from 'constructs';
import {
  CiProject,
  type CiProjectProps,
  Connection,
  EbbProvider,
  EphemeralVariable,
} from '../../stacks/index.ts';

/** By name of the repository: what it needs beyond the defaults. */
const projects: { readonly [name: string]: Partial<CiProjectProps> } = {
  shop: { deploy: { main: ['./deploy.sh'] } },
  catalog: { timeoutMinutes: 20 },
  mailer: {},
};

/** Every repository of a list becomes a project with its key, its hook and a secret that all share. */
class ManyProjects extends TerraformStack {
  constructor(scope: Construct, id: string) {
    super(scope, id);
    new LocalBackend(this, { path: 'terraform.tfstate' });
    // Address and key come from EBB_ENDPOINT and EBB_API_KEY.
    new EbbProvider(this, 'ebb');

    const registryToken = new EphemeralVariable(this, 'registry_token', {
      description: 'A secret that the tests of all projects read.',
    });
    const connection = new Connection(this, 'local', { name: 'local', kind: 'local' });
    const made = Object.entries(projects).map(
      ([name, props]) =>
        new CiProject(this, name, {
          ...{ connection, name, setup: ['./setup.sh'], test: ['./total.sh build/prices.csv'] },
          ...{ secrets: { REGISTRY_TOKEN: { value: registryToken.stringValue, phases: ['test'] } } },
          ...props,
        }),
    );

    const value = Object.fromEntries(made.map(({ node, deployKey }) => [node.id, deployKey.fingerprint]));
    new TerraformOutput(this, 'fingerprints', { value }).overrideLogicalId('fingerprints');
  }
}

const app = new App();
new ManyProjects(app, 'many-projects');
app.synth();
