import { Construct } from 'constructs';
import { TerraformVariable } from '../cdktf.ts';
import { EphemeralVariable } from '../ephemeral-variable.ts';
import { SecretsmanagerSecret, SecretsmanagerSecretVersion } from './aws.ts';
import type { Keys } from './keys.ts';
import type { PlatformSettings } from './settings.ts';

/** Given by TF_VAR_…, as `ebb keys FOLDER --platform` prints them; raise `version` when a value changes. */
const given = {
  token_key: "What signs the API's tokens, private Ed25519 JWK.",
  receipt_key: 'What signs receipts, private Ed25519 JWK.',
  hook_master_key: 'What the secrets of hooks are derived from, 32 bytes in Base64.',
  first_admin_key: 'API key of the first team, ebb_….',
  runner_key: 'API key of the runners, ebb_….',
} as const;

type GivenName = keyof typeof given;

/** What API and runners are told in secret. No value is in the program, a plan or a state. */
export class Secrets extends Construct {
  readonly databasePassword: EphemeralVariable;
  /** ElastiCache has no write-only attribute for it, so this one value is in the state until it is rotated. */
  readonly redisToken: TerraformVariable;
  readonly version: TerraformVariable;
  /** The values, which must be there before a program starts. */
  readonly values: SecretsmanagerSecretVersion[] = [];
  readonly #secrets = new Map<string, SecretsmanagerSecret>();

  constructor(scope: Construct, id: string, settings: PlatformSettings, keys: Keys) {
    super(scope, id);
    this.version = new TerraformVariable(this, 'secrets_version', {
      type: 'number',
      default: 1,
      description: 'Raise it when the value of a secret changes.',
    });
    this.version.overrideLogicalId('secrets_version');
    this.databasePassword = new EphemeralVariable(this, 'database_password', {
      description: "Password of PostgreSQL's user ebb.",
    });
    this.redisToken = new TerraformVariable(this, 'redis_token', {
      type: 'string',
      sensitive: true,
      nullable: false,
      description: 'Password of Redis, 16 to 128 letters and digits.',
    });
    this.redisToken.overrideLogicalId('redis_token');
    for (const name of [...(Object.keys(given) as GivenName[]), 'database_url', 'redis_url']) {
      const secret = new SecretsmanagerSecret(this, name, {
        name: `${settings.name}/${name.replaceAll('_', '-')}`,
        kmsKeyId: keys.data.arn,
        recoveryWindowInDays: 7,
      });
      this.#secrets.set(name, secret);
    }
    for (const [name, description] of Object.entries(given)) {
      const variable = new EphemeralVariable(this, `given_${name}`, { description });
      variable.overrideLogicalId(name);
      this.keep(name, variable.stringValue);
    }
  }

  /** Puts a value that Terraform forgets into the secret of that name. */
  keep(name: string, value: string): void {
    const version = new SecretsmanagerSecretVersion(this, `${name}_value`, {
      secretId: this.#arn(name),
      secretStringWo: value,
      secretStringWoVersion: this.version.numberValue,
    });
    this.values.push(version);
  }

  /** By the variable that gets the value; what Amazon ECS puts into the API's environment. */
  forApi(): { name: string; valueFrom: string }[] {
    return this.#list({
      EBB_TOKEN_KEY: 'token_key',
      EBB_RECEIPT_KEY: 'receipt_key',
      EBB_HOOK_MASTER_KEY: 'hook_master_key',
      EBB_FIRST_ADMIN_KEY: 'first_admin_key',
      EBB_FIRST_RUNNER_KEY: 'runner_key',
      EBB_DATABASE_URL: 'database_url',
      EBB_REDIS_URL: 'redis_url',
    });
  }

  forRunner(): { name: string; valueFrom: string }[] {
    return this.#list({ EBB_RUNNER_KEY: 'runner_key', EBB_REDIS_URL: 'redis_url' });
  }

  ofApi(): string[] {
    return this.forApi().map(({ valueFrom }) => valueFrom);
  }

  ofRunner(): string[] {
    return this.forRunner().map(({ valueFrom }) => valueFrom);
  }

  #list(names: Record<string, string>): { name: string; valueFrom: string }[] {
    return Object.entries(names).map(([name, secret]) => ({ name, valueFrom: this.#arn(secret) }));
  }

  #arn(name: string): string {
    const secret = this.#secrets.get(name);
    if (!secret) throw new Error(`There is no secret ${name}.`);
    return secret.arn;
  }
}
