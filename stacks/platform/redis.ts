import { Construct } from 'constructs';
import { ElasticacheReplicationGroup, ElasticacheSubnetGroup } from './aws.ts';
import type { Core } from './core.ts';
import type { PlatformSettings } from './settings.ts';

/** Redis: encrypted on the wire, with a password, reached from API and runners alone. */
export class Redis extends Construct {
  readonly group: ElasticacheReplicationGroup;

  constructor(scope: Construct, id: string, settings: PlatformSettings, core: Core) {
    super(scope, id);
    const { redis, name } = settings;
    const subnets = new ElasticacheSubnetGroup(this, 'redis-subnets', {
      name: `${name}-redis`,
      subnetIds: core.network.privateSubnetIds,
    });
    this.group = new ElasticacheReplicationGroup(this, 'redis', {
      replicationGroupId: name,
      description: 'Queue of Ebb: ids only',
      engine: 'redis',
      engineVersion: '7.1',
      nodeType: redis.nodeType,
      numCacheClusters: 1 + redis.replicas,
      automaticFailoverEnabled: redis.replicas > 0,
      multiAzEnabled: redis.replicas > 0,
      transitEncryptionEnabled: true,
      transitEncryptionMode: 'required',
      atRestEncryptionEnabled: 'true',
      kmsKeyId: core.keys.data.arn,
      authToken: core.secrets.redisToken.stringValue,
      subnetGroupName: subnets.name,
      securityGroupIds: [core.groups.redis.id],
      // After the first rotation the token of the state opens nothing, and must not be set again.
      lifecycle: { ignoreChanges: ['auth_token'] },
    });
    const token = core.secrets.redisToken.stringValue;
    core.secrets.keep('redis_url', `rediss://:${token}@${this.group.primaryEndpointAddress}:6379`);
  }
}
