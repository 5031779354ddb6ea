import { App, LocalBackend, TerraformOutput, TerraformStack } from 'cdktf';
import type { Construct } from 'constructs';
import { CiProject, Connection, EbbProvider, EphemeralVariable } from '../../stacks/index.ts';

/** One project on the source host that is built into Ebb, with all that a push needs to become a build. */
class Quickstart extends TerraformStack {
  constructor(scope: Construct, id: string) {
    super(scope, id);
    new LocalBackend(this, { path: 'terraform.tfstate' });
    // Address and key come from EBB_ENDPOINT and EBB_API_KEY.
    new EbbProvider(this, 'ebb');

    const greeting = new EphemeralVariable(this, 'greeting', {
      description: 'A secret that the tests and the deployment read.',
    });
    const connection = new Connection(this, 'local', { name: 'local', kind: 'local' });
    const shop = new CiProject(this, 'shop', {
      connection,
      name: 'shop',
      setup: ['./setup.sh'],
      test: ['./test.sh'],
      deploy: { main: ['./deploy.sh'] },
      environment: { SHOP_CURRENCY: 'EUR' },
      secrets: { SHOP_GREETING: { value: greeting.stringValue, phases: ['test', 'deploy'] } },
    });

    new TerraformOutput(this, 'project_id', { value: shop.projectId }).overrideLogicalId('project_id');
    new TerraformOutput(this, 'public_key', { value: shop.publicKey }).overrideLogicalId('public_key');
  }
}

const app = new App();
new Quickstart(app, 'quickstart');
app.synth();
