import { join } from 'node:path';
import { App, LocalBackend, TerraformStack } from 'cdktf';
import type { Construct } from 'constructs';
import { AwsProvider, Platform } from '../../stacks/platform/index.ts';

/** Ebb in an AWS account of its own. Everything to change is in here; docs/platform.md leads through it. */
class EbbOnAws extends TerraformStack {
  constructor(scope: Construct, id: string) {
    super(scope, id);
    const region = 'eu-central-1';
    // Beside this file: what is synthesized is written anew. For a team: an S3Backend with encryption and locking.
    new LocalBackend(this, { path: join(import.meta.dirname, 'terraform.tfstate') });
    new AwsProvider(this, 'aws', { region, defaultTags: [{ tags: { project: 'ebb' } }] });

    new Platform(this, 'platform', {
      region,
      hostName: 'ebb.example.com',
      certificateArn:
        'arn:aws:acm:eu-central-1:123456789012:certificate/00000000-0000-0000-0000-000000000000',
      containerImage: '123456789012.dkr.ecr.eu-central-1.amazonaws.com/ebb:0.1.0',
      machineImage: 'ami-00000000000000000',
      // As ebb keys prints it, once the key of receipts was rotated.
      retiredReceiptKeys: process.env.EBB_RETIRED_RECEIPT_KEYS ?? '',
    });
  }
}

const app = new App();
new EbbOnAws(app, 'platform');
app.synth();
