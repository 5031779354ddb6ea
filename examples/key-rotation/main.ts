import { App, LocalBackend, TerraformOutput, TerraformStack, TerraformVariable } from 'cdktf';
import type { Construct } from 'constructs';
import { CiProject, Connection, EbbProvider, EphemeralVariable } from '../../stacks/index.ts';

const commands = { setup: ['./setup.sh'], test: ['./total.sh build/prices.csv'] };

/** Deploy keys that are rotated: one that Ebb makes, and one that is brought along. */
class KeyRotation extends TerraformStack {
  constructor(scope: Construct, id: string) {
    super(scope, id);
    new LocalBackend(this, { path: 'terraform.tfstate' });
    // Address and key come from EBB_ENDPOINT and EBB_API_KEY.
    new EbbProvider(this, 'ebb');

    const quarter = this.#variable('quarter', {
      ...{ type: 'string', default: '2026-Q4' },
      description: 'Another quarter than before makes a new key for shop.',
    });
    const version = this.#variable('catalog_key_version', {
      ...{ type: 'number', default: 1 },
      description: 'Another number than before sends catalog_key again.',
    });
    const privateKey = new EphemeralVariable(this, 'catalog_key', {
      description: 'Private half of the deploy key of catalog, as ssh-keygen writes it.',
    });

    const connection = new Connection(this, 'local', { name: 'local', kind: 'local' });
    const shop = new CiProject(this, 'shop', {
      ...{ connection, name: 'shop', ...commands },
      rotateDeployKeyWhen: { quarter: quarter.stringValue },
    });
    const catalog = new CiProject(this, 'catalog', {
      ...{ connection, name: 'catalog', ...commands },
      deployKey: { value: privateKey.stringValue, version: version.numberValue },
    });

    const value = { shop: shop.deployKey.fingerprint, catalog: catalog.deployKey.fingerprint };
    new TerraformOutput(this, 'fingerprints', { value }).overrideLogicalId('fingerprints');
  }

  #variable(id: string, props: { type: string; default: string | number; description: string }) {
    const variable = new TerraformVariable(this, id, props);
    variable.overrideLogicalId(id);
    return variable;
  }
}

const app = new App();
new KeyRotation(app, 'key-rotation');
app.synth();
