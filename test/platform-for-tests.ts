import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTerraform, type Terraform } from '../cli/demo/terraform.ts';
import { App, LocalBackend, TerraformStack } from '../stacks/cdktf.ts';
import { AwsProvider, type PlatformProps } from '../stacks/platform/index.ts';
import { findTerraformMirror, mirrorConfig } from './terraform-mirror.ts';

/** A platform as small as it gets, of an account that does not exist. */
export const sampleProps: PlatformProps = {
  hostName: 'ebb.example.com',
  certificateArn: 'arn:aws:acm:eu-central-1:123456789012:certificate/00000000-0000-0000-0000-000000000000',
  containerImage: '123456789012.dkr.ecr.eu-central-1.amazonaws.com/ebb:0.1.0',
  machineImage: 'ami-0123456789abcdef0',
};

/** What the guide has an operator give as TF_VAR_…; canaries, so that a test can search for them. */
export const sampleSecrets = {
  token_key: 'canary-token-key',
  receipt_key: 'canary-receipt-key',
  hook_master_key: 'canary-hook-master-key',
  first_admin_key: 'canary-first-admin-key',
  runner_key: 'canary-runner-key',
  database_password: 'canary-database-password',
};
const redisToken = 'canaryRedisToken0123456789';

const services = [
  ...[
    'ec2',
    'kms',
    'iam',
    'sts',
    'logs',
    'secretsmanager',
    'rds',
    'elasticache',
    'ecs',
    'elbv2',
    'cloudwatch',
  ],
] as const;

/** One stack, and Terraform in the folder that it was synthesized to. */
export interface TestStack {
  folder: string;
  terraform: Terraform;
  remove(): Promise<void>;
}

/** Synthesizes a stack with the real aws provider, which calls an emulator when `endpoint` is given. */
export async function makeTestStack(
  declare: (stack: TerraformStack) => void,
  endpoint?: string,
): Promise<TestStack> {
  const mirror = findTerraformMirror('hashicorp/aws');
  if (!mirror) throw new Error('There is no filesystem mirror with hashicorp/aws; set EBB_TERRAFORM_MIRROR.');
  const root = await mkdtemp(join(tmpdir(), 'ebb-platform-'));
  const app = new App({ outdir: root });
  const stack = new TerraformStack(app, 'platform');
  new LocalBackend(stack, { path: 'terraform.tfstate' });
  new AwsProvider(stack, 'aws', {
    region: 'eu-central-1',
    accessKey: 'test',
    secretKey: 'test',
    skipCredentialsValidation: true,
    skipMetadataApiCheck: 'true',
    maxRetries: 2,
    ...(endpoint
      ? { endpoints: [Object.fromEntries(services.map((service) => [service, endpoint]))] }
      : { skipRequestingAccountId: true }),
  });
  declare(stack);
  app.synth();
  const folder = join(root, 'stacks', 'platform');
  const config = join(root, 'terraform.rc');
  await writeFile(config, mirrorConfig(mirror));
  const variables = Object.entries({ ...sampleSecrets, redis_token: redisToken });
  const terraform = createTerraform({
    folder,
    environment: {
      TF_CLI_CONFIG_FILE: config,
      AWS_EC2_METADATA_DISABLED: 'true',
      ...Object.fromEntries(variables.map(([name, value]) => [`TF_VAR_${name}`, value])),
    },
    signal: AbortSignal.timeout(10 * 60_000),
  });
  await terraform.run(['init', '-input=false']);
  return { folder, terraform, remove: () => rm(root, { recursive: true, force: true }) };
}
