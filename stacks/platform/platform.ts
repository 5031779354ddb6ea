import { Construct } from 'constructs';
import { Fn, TerraformOutput } from '../cdktf.ts';
import { Alarms } from './alarms.ts';
import { Core } from './core.ts';
import { Database } from './database.ts';
import { Redis } from './redis.ts';
import { Service } from './service.ts';
import { type PlatformProps, settle } from './settings.ts';

/**
 * The whole of Ebb in an AWS account: network, keys, roles, template of build machines, PostgreSQL, Redis, API and
 * runners. Throws PlatformError.
 */
export class Platform extends Construct {
  readonly core: Core;
  readonly database: Database;
  readonly redis: Redis;
  readonly service: Service;

  constructor(scope: Construct, id: string, props: PlatformProps) {
    super(scope, id);
    const settings = settle(props);
    this.core = new Core(this, 'core', settings);
    this.database = new Database(this, 'database', settings, this.core);
    this.redis = new Redis(this, 'redis', settings, this.core);
    this.#say('custody_key', this.core.keys.custody.arn, "Wraps projects' keys.");
    const { network, groups } = this.core;
    this.#say('private_subnets', Fn.join(',', network.privateSubnetIds), 'Where one-off tasks run.');
    this.#say('api_group', groups.api.id, 'Security group of one-off tasks that need the database.');
    this.service = new Service(this, 'service', settings, this.core);
    new Alarms(this, 'alarms', settings, this);
    this.#say(
      'balancer',
      this.service.balancer.dnsName,
      `Point ${settings.hostName} here, by CNAME or alias.`,
    );
  }

  #say(name: string, value: string, description: string): void {
    new TerraformOutput(this, name, { value, description }).overrideLogicalId(name);
  }
}
